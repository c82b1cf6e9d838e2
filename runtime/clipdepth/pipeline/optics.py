"""What is done to a source's pictures before the network, and to the network's depth after it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.kind import METRIC
from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.correction import Correction
from clipdepth.camera.corrections import Corrections
from clipdepth.camera.letterbox import Letterbox, fit
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import SourceError
from clipdepth.frame import DepthFrame
from clipdepth.pipeline.smoothing import Smoother
from clipdepth.sources import Captured


@dataclass(frozen=True)
class Prepared:
    """A frame, undistorted and turned, and its picture at one of the network's sizes, (h, w, 3) uint8 BGR."""

    captured: Captured
    letterbox: Letterbox
    picture: NDArray[np.uint8]
    correction: Correction | None


class Optics:
    """One source's camera: its pictures for the network, and the network's depth in its metres.

    Without `corrections` no camera is known: pictures and metric depth are left as they are. `smoother` steadies depth
    over the frames that come, so optics are for one source. Depth of less than `min_confidence` is left out.
    """

    def __init__(
        self,
        sizes: Sequence[InputSize],
        corrections: Corrections | None = None,
        smoother: Smoother | None = None,
        min_confidence: float = 0.0,
    ) -> None:
        self._sizes, self._corrections, self._smoother = sizes, corrections, smoother
        self._min_confidence = min_confidence

    def prepare(self, captured: Captured) -> Prepared:
        """Undistort a frame, turn it and fit it into the network's size of the nearest shape.

        Raises SourceError for a size that the camera is not known at, and for measured depth of another size.
        """
        frame, measured, correction = captured.frame, captured.measured, None
        height, width = frame.shape[:2]
        if measured is not None:
            measured = _of_picture(measured, height, width)
        if self._corrections is not None:
            correction = self._corrections.at(height, width, captured.camera or captured.focal_px)
            frame = correction.undistort(frame)
            measured = None if measured is None else correction.undistort_measured(measured)
        if frame is not captured.frame or measured is not None:
            captured = replace(captured, frame=frame, measured=measured)
        height, width = frame.shape[:2]
        letterbox = fit(height, width, self._sizes)
        return Prepared(captured, letterbox, letterbox.picture(frame), correction)

    def depth_frame(self, prepared: Prepared, answer: Answer, source: str) -> DepthFrame:
        """The frame with the network's answer to it, (h, w), in this camera's metres where they are known."""
        captured, kind = prepared.captured, METRIC
        inside = prepared.letterbox.inside
        raw = np.ascontiguousarray(inside(answer.depth))
        confidence = None if answer.confidence is None else _probability(inside(answer.confidence))
        novelty = None if answer.novelty is None else float(answer.novelty)
        if prepared.correction is not None:
            raw, pinhole = prepared.correction.depth(raw), prepared.correction.intrinsics
            kind = prepared.correction.kind
        else:
            height, width = captured.frame.shape[:2]
            pinhole = Intrinsics.unknown(width, height)
        if self._smoother is not None:
            raw = self._smoother.smooth(inside(prepared.picture), raw, kind)
        time, index, ns = captured.time, captured.index, captured.captured_ns
        least, stamp = self._min_confidence, captured.stamp_ns
        measured = None if captured.measured is None else _or_nan(captured.measured)
        return DepthFrame(
            captured.frame, raw, pinhole, time, index, source, ns, kind, confidence, least, stamp, novelty, measured
        )


def _of_picture(measured: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    if measured.shape != (height, width):
        has = "×".join(map(str, measured.shape[::-1]))
        raise SourceError(
            f"the measured depth has {has} pixels and its picture {width}×{height}; give depth aligned with the picture"
        )
    return measured


def _or_nan(measured: NDArray[np.float32]) -> NDArray[np.float32]:
    known = np.isfinite(measured) & (measured > 0)
    return measured if known.all() else np.where(known, measured, np.float32(np.nan))


def _probability(answer: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a graph answers, from 0 to 1 whatever it is; 0 where it is no number."""
    return np.asarray(np.clip(np.nan_to_num(answer), 0, 1), np.float32)
