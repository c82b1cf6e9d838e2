"""`clipdepth confidence RUN`: fit how sure a trained run is of its depth, with all else as it is."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from clipdepth.cli.arguments import ArgumentParser, positive_int
from clipdepth.cli.progress import follow
from clipdepth.errors import UsageError
from clipdepth_train.checkpoint import CHECKPOINT, read_state
from clipdepth_train.confidence.of_run import add_confidence
from clipdepth_train.named_data import is_unmeasured, measured_data

FRAMES = 2000


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth confidence --help`."""
    arguments = _parser().parse_args(argv)
    recipe, _ = read_state(arguments.run / CHECKPOINT)
    data = arguments.data or measured_data(recipe.data)
    if is_unmeasured(data):
        raise UsageError(f"{data} has no measured depth to compare with; give --data, a dataset that has")
    found = add_confidence(arguments.run, data, arguments.like, arguments.frames, follow)
    Console().print(
        f"{arguments.run} says how sure it is (log b' = {found.slope:.3f} log b {found.offset:+.3f}); measure it with "
        f"'clipdepth evaluate {arguments.run} --uncertainty'",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "clipdepth confidence",
        "Fit, with the network as it is, how sure a run is of each pixel's depth, and calibrate it on the training "
        "frames that the run held out. A further training takes it away.",
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder of a trained run of 'edge'")
    add("--data", help="folder of RGB-D pairs, or 'rooms' (default: what it was trained on)")
    add(
        "--like",
        type=Path,
        metavar="RUN",
        help="take the calibration of that run, of the same recipe, which held frames out, for one that did not",
    )
    add("--frames", type=positive_int, default=FRAMES, metavar="N", help=f"at most, of each kind (default: {FRAMES})")
    return parser
