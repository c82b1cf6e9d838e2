"""What an engine with Segment Anything hands to the depth graph."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.engines.operations import Operation
from clipdepth.engines.sam.painting import paint
from clipdepth.engines.sam.segmented import SegmentedEngine


class RedDepth:
    """Answers the red of the segmentation as depth."""

    name, device = "red", "CPU"
    closed = False

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        assert segmentation is not None
        assert segmentation.shape == frames.shape
        return Answer(segmentation[..., 2].astype(np.float32))

    def operations(self) -> list[Operation]:
        return [Operation("Red", ("red",), None)]

    def profile(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> list[Operation]:
        return [Operation("Red", ("red",), None, float(self.infer(frames, segmentation).depth.sum()))]

    def close(self) -> None:
        self.closed = True


def bright_half(frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """One mask: where the frame is bright."""
    return (frame[..., 0] > 127)[None]


def frames() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, 8, 12, 3), dtype=np.uint8)


def test_each_frame_is_segmented_and_painted_by_itself() -> None:
    masks: Any = bright_half
    engine = SegmentedEngine(RedDepth(), masks)
    painted = np.stack([paint(bright_half(frame)) for frame in frames()])
    np.testing.assert_array_equal(engine.infer(frames()).depth, painted[..., 2])
    assert len(np.unique(painted[..., 2])) > 2


def test_a_segmentation_that_is_given_is_taken() -> None:
    masks: Any = None
    given = frames()[::-1].copy()
    np.testing.assert_array_equal(SegmentedEngine(RedDepth(), masks).infer(frames(), given).depth, given[..., 2])


def test_it_is_the_depth_engine_to_the_outside() -> None:
    depth = RedDepth()
    masks: Any = bright_half
    engine = SegmentedEngine(depth, masks)
    assert (engine.name, engine.device) == ("red", "CPU")
    engine.close()
    assert depth.closed


def test_what_runs_is_the_depth_graph_given_painted_masks() -> None:
    masks: Any = bright_half
    engine = SegmentedEngine(RedDepth(), masks)
    painted = np.stack([paint(bright_half(frame)) for frame in frames()])
    assert engine.operations() == RedDepth().operations()
    assert engine.profile(frames()) == RedDepth().profile(frames(), painted)
    assert engine.profile(frames(), frames()) == RedDepth().profile(frames(), frames())
