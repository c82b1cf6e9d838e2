"""What a run was measured to be worth, from what `clipdepth evaluate --json` wrote."""

from pathlib import Path
from typing import Literal

import msgspec

from clipdepth.bundle.manifest import Accuracy, StatedConfidence
from clipdepth.bundle.metrics import Align, DepthMetrics
from clipdepth.errors import DataError

PYTORCH = "pytorch"
"""The engine of an evaluated run; an evaluated bundle has another."""


class _RelByShare(msgspec.Struct):
    all: float = msgspec.field(name="1")
    surest: float = msgspec.field(name="0.8")


class _Uncertainty(msgspec.Struct):
    """What `--uncertainty` adds; see `clipdepth_train.confidence.uncertainty`."""

    confidence: float
    within: float
    coverage: float
    rel: _RelByShare

    def stated(self) -> StatedConfidence:
        change = self.rel.surest / self.rel.all - 1 if self.rel.all else 0.0
        return StatedConfidence(self.confidence, self.within, self.coverage, change)


class _Evaluation(msgspec.Struct):
    """The fields of such a file that a bundle states; others are left alone."""

    data: str
    split: Literal["test", "train"]
    frames: int
    crop: Literal["all", "eigen", "paper"]
    mirrored: bool
    metrics: dict[str, DepthMetrics]
    align: Align = "none"
    engine: str = PYTORCH
    uncertainty: _Uncertainty | None = None


def read_accuracy(path: Path, run: str) -> Accuracy:
    """What the file at `path` says of the run of that name.

    Raises DataError where it is no such file, has other runs only, or is of a bundle.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Evaluation)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: {reason}; give what 'clipdepth evaluate {run} --json FILE' writes") from None
    if run not in found.metrics:
        raise DataError(f"{path} measures {', '.join(found.metrics)}, not {run}; evaluate {run} with --json")
    if found.engine != PYTORCH:
        raise DataError(f"{path} measures a bundle on {found.engine}; evaluate the run {run} itself with --json")
    return Accuracy(
        data=Path(found.data).name,
        split=found.split,
        frames=found.frames,
        crop=found.crop,
        mirrored=found.mirrored,
        metrics=found.metrics[run],
        align=found.align,
        confidence=found.uncertainty.stated() if found.uncertainty else None,
    )
