"""From what a person types after `--teacher` to a teacher."""

from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import MANIFEST
from clipdepth.errors import CheckpointError
from clipdepth_train.checkpoint import CHECKPOINT
from clipdepth_train.start import find_run_or_bundle
from clipdepth_train.teacher.of_bundle import bundle_teacher
from clipdepth_train.teacher.of_run import run_teacher
from clipdepth_train.teacher.teacher import Teacher


def open_teacher(named: str) -> Teacher:
    """The teacher that `named` means: a run's folder, a bundle, or the name of a model that ships.

    Raises CheckpointError or BundleError where there is none or a damaged one.
    """
    # A model of transformers ('hf:OWNER/NAME', or a folder with its config.json) is told apart here.
    folder = find_run_or_bundle(named)
    if (folder / MANIFEST).is_file():
        return bundle_teacher(open_bundle(named))
    if not (folder / CHECKPOINT).is_file():
        raise CheckpointError(f"no run or bundle at {named}; give --teacher a run's folder, a bundle or a model's name")
    return run_teacher(folder)
