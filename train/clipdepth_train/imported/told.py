"""What a person says of a model that clipdepth did not train."""

from dataclasses import dataclass

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import DepthRange, InputSize
from clipdepth.errors import UsageError

NEAREST = 1e-3
"""Metres: the smallest depth that an imported metric network may answer, since depth has to be positive."""


@dataclass(frozen=True)
class Told:
    """What a model itself does not say, or says otherwise; None where nothing was told."""

    size: InputSize | None = None
    kind: DepthKind | None = None
    max_depth: float | None = None
    """Metres that the network answers at most."""
    licence: str | None = None

    def metric_range(self, kind: DepthKind, stated: float | None, name: str) -> DepthRange | None:
        """The metres that the network answers, which it states up to `stated`; None where its answer is not metric.

        Raises UsageError where nobody says how far it goes, and where there are no metres.
        """
        if kind != METRIC:
            if self.max_depth is not None:
                raise UsageError(f"{name} answers {kind} depth, which has no metres; leave out --max-depth")
            return None
        maximum = self.max_depth or stated
        if maximum is None:
            raise UsageError(f"{name} does not say how many metres it answers at most; give --max-depth METRES")
        return DepthRange(NEAREST, maximum)
