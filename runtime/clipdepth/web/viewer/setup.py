"""What a viewer shows, and what of it stays the same while a pipeline runs."""

from dataclasses import dataclass

from clipdepth.bundle.kind import METRIC, DepthKind


@dataclass(frozen=True)
class Setup:
    """What stays the same while a pipeline runs."""

    engine: str
    device: str
    precision: str
    near: float
    far: float
    """The ends of the colours that the page starts with, metres; those of `spread` where depth is not metric."""
    kind: DepthKind = METRIC
    """What the depth shown is."""
    confidence: bool = False
    """Whether the model says how sure it is."""
