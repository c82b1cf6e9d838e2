"""`clipdepth confidence RUN`: fit how sure a trained run is of its depth, with all else as it is."""

from collections.abc import Sequence

from rich.console import Console

from clipdepth.cli.progress import follow
from clipdepth.errors import UsageError
from clipdepth_train.checkpoint import CHECKPOINT, read_state
from clipdepth_train.commands.confidence_options import parser
from clipdepth_train.confidence.of_run import add_confidence
from clipdepth_train.named_data import is_unmeasured, measured_data


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth confidence --help`."""
    arguments = parser().parse_args(argv)
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
