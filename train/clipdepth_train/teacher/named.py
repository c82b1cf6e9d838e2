"""From what a person types after `--teacher` to a teacher."""

from pathlib import Path

from clipdepth.bundle.box import portable
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.hub import fetch_bundle, holds_bundle
from clipdepth.bundle.hub_name import is_hub_name
from clipdepth.bundle.manifest import MANIFEST
from clipdepth.errors import CheckpointError
from clipdepth_train.checkpoint import CHECKPOINT
from clipdepth_train.imported.hub_snapshot import snapshot
from clipdepth_train.imported.transformers import is_transformers
from clipdepth_train.start import find_run_or_bundle
from clipdepth_train.teacher.of_bundle import bundle_teacher
from clipdepth_train.teacher.of_run import run_teacher
from clipdepth_train.teacher.of_transformers import transformers_teacher
from clipdepth_train.teacher.teacher import Teacher


def pinned_teacher(named: str) -> str:
    """The name with the commit of a teacher on the hub, so that a run tells whom it learned from."""
    if not is_hub_name(named):
        return named
    return portable(fetch_bundle(named)) if holds_bundle(named) else str(snapshot(named)[1])


def open_teacher(named: str) -> Teacher:
    """The teacher that `named` means: a run's folder, a bundle, the name of a model that ships, or one of transformers.

    On the hub a repository with a bundle's manifest is a bundle, any other a model of transformers. Raises
    CheckpointError or BundleError where there is none or a damaged one, and what `read_model` raises.
    """
    if is_hub_name(named):
        return bundle_teacher(open_bundle(named)) if holds_bundle(named) else transformers_teacher(named)
    if is_transformers(Path(named)):
        return transformers_teacher(named)
    folder = find_run_or_bundle(named)
    if (folder / MANIFEST).is_file():
        return bundle_teacher(open_bundle(named))
    if not (folder / CHECKPOINT).is_file():
        raise CheckpointError(f"no run or bundle at {named}; give --teacher a run's folder, a bundle or a model's name")
    return run_teacher(folder)
