"""`clipdepth confidence MODEL`: fit how sure a trained model is of its depth, with all else as it is."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from clipdepth.bundle.manifest import MANIFEST
from clipdepth.cli.progress import follow
from clipdepth.errors import UsageError
from clipdepth_train.checkpoint import read_state
from clipdepth_train.commands.confidence_options import parser
from clipdepth_train.confidence.of_run import add_confidence
from clipdepth_train.named_data import is_unmeasured, measured_data
from clipdepth_train.start import find_run_or_bundle, find_weights


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth confidence --help`."""
    arguments = parser().parse_args(argv)
    weights, run = find_weights(arguments.model), _run(arguments.model, arguments.out)
    recipe, _ = read_state(weights)
    data = arguments.data or measured_data(recipe.data)
    if is_unmeasured(data):
        raise UsageError(f"{data} has no measured depth to compare with; give --data, a dataset that has")
    found = add_confidence(weights, run, data, arguments.like, arguments.frames, follow)
    Console().print(
        f"{run} says how sure it is (log b' = {found.slope:.3f} log b {found.offset:+.3f}); measure it with "
        f"'clipdepth evaluate {run} --data {data} --uncertainty'",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    return 0


def _run(model: str, out: Path | None) -> Path:
    """The run's folder that is written; raises UsageError where that would change a bundle or another run."""
    folder = find_run_or_bundle(model)
    if out is None:
        if (folder / MANIFEST).is_file():
            raise UsageError(f"{model} is a bundle, which stays as it is; give --out, a folder for the run")
        return folder
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not empty; choose another --out")
    return out
