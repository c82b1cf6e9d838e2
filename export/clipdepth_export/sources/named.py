"""From what a person types to the source of an export."""

from collections.abc import Sequence
from pathlib import Path

from clipdepth.bundle.hub_name import PREFIX as HUB
from clipdepth.bundle.manifest import Accuracy
from clipdepth.errors import UsageError
from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import Asked
from clipdepth_export.sources.python import python_source
from clipdepth_export.sources.run import run_source
from clipdepth_export.sources.transformers import transformers_source
from clipdepth_train.imported.python import PREFIX as PYTHON
from clipdepth_train.imported.transformers import is_transformers

PREFIXES = (PYTHON, HUB)
"""What the names of models begin with that are no folder."""


def named_source(
    named: str, asked: Asked, sam_weights: str | None = None, accuracy: Sequence[Accuracy] = ()
) -> ExportSource:
    """The model that `named` means: a run's folder, 'hf:…', a folder of transformers, or 'python:…'.

    Raises UsageError for an option that is not for its kind, and what each kind's own function raises.
    """
    if not is_imported(named):
        if only := _only_for_imported(asked):
            raise UsageError(f"{named} is a run of clipdepth, which says it itself; leave out {only}")
        return run_source(Path(named), asked.data, sam_weights, accuracy, asked.told.size)
    if sam_weights or accuracy:
        option = "--sam-weights" if sam_weights else "--accuracy"
        raise UsageError(f"{named} is no run of clipdepth; leave out {option}")
    return python_source(named, asked) if named.startswith(PYTHON) else transformers_source(named, asked)


def is_imported(named: str) -> bool:
    """Whether `named` is a model that clipdepth did not train."""
    return named.startswith(PREFIXES) or is_transformers(Path(named))


def _only_for_imported(asked: Asked) -> str | None:
    """An option that was given and is not for runs, if any."""
    told = asked.told
    options = {
        "--frames": asked.frames,
        "--kind": told.kind,
        "--max-depth": told.max_depth,
        "--focal": asked.focal,
        "--licence": told.licence,
    }
    return next((option for option, value in options.items() if value is not None), None)
