"""What became of the frames of a source."""

from dataclasses import dataclass, field

from clipdepth.pipeline.comparison import ComparisonTally
from clipdepth.pipeline.confidence import ConfidenceTally
from clipdepth.pipeline.focal import FocalLengths
from clipdepth.pipeline.latency import Histogram, Latency, LatencyRing


@dataclass
class Counts:
    """Frames of one source; the few that were under way when the pipeline stopped are in no other counter."""

    captured: int = 0
    """Frames that the source gave."""
    processed: int = 0
    """Frames whose depth was made."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Frames of a live source that gave way to newer ones, by the stage that was too slow: 'resize', 'engine', or
    a sink (whose frames were processed all the same)."""
    novel: int | None = None
    """Frames processed that are unlike what the model learned from; None where the model does not say it."""
    focal: FocalLengths = field(default_factory=FocalLengths)
    """With what the frames processed were filmed."""
    confidence: ConfidenceTally = field(default_factory=ConfidenceTally)
    """How sure the model was of the frames processed."""
    comparison: ComparisonTally = field(default_factory=ComparisonTally)
    """How far their depth is from what the source's own sensor measured."""


class StageTimes:
    """How long the newest frames took in each stage, of all sources together.

    `resize` is to the model's size and from its depth to metres, `engine` the graph for all frames of the batch,
    `total` their sum, and `capture_to_depth` from the frame's capture to its depth in metres, with all waiting between
    the stages.
    """

    def __init__(self) -> None:
        self.resize = LatencyRing()
        self.engine = LatencyRing()
        self.total = LatencyRing()
        self.capture_to_depth = LatencyRing()

    def add(self, resize: float, engine: float, capture_to_depth: float) -> None:
        """Add a frame's times, seconds."""
        self.resize.add(resize)
        self.engine.add(engine)
        self.total.add(resize + engine)
        self.capture_to_depth.add(capture_to_depth)

    def clear(self) -> None:
        """Forget all, after a warm-up."""
        for ring in self._rings().values():
            ring.clear()

    def summary(self) -> dict[str, Latency]:
        """Stage by stage; empty when no frame was timed."""
        stages = {name: ring.summary() for name, ring in self._rings().items()}
        return {name: latency for name, latency in stages.items() if latency}

    def histograms(self) -> dict[str, Histogram]:
        """Stage by stage, of all frames since the start."""
        return {name: ring.histogram() for name, ring in self._rings().items()}

    def _rings(self) -> dict[str, LatencyRing]:
        return {name: ring for name, ring in vars(self).items() if isinstance(ring, LatencyRing)}
