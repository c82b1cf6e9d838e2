"""How far Segment Anything's graphs are from its own PyTorch modules."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SamAnswer:
    """What Segment Anything makes of one frame and P points in it."""

    embedding: Floats
    """The encoder's answer, (1, C, S/16, S/16) float32."""
    masks: Floats
    """Three masks a point, (P, 3, S/4, S/4) float32 logits."""
    iou: Floats
    """The overlap with the true object that SAM predicts of each mask, (P, 3) float32."""

    @property
    def finite(self) -> bool:
        """Whether no value is NaN or infinite."""
        return all(bool(np.isfinite(values).all()) for values in (self.embedding, self.masks, self.iou))


@dataclass(frozen=True)
class SamTolerance:
    """How far the graphs may be from PyTorch."""

    cosine: float
    """Least mean cosine similarity of embeddings."""
    mask_iou: float
    """Least mean overlap of masks."""
    predicted_iou: float
    """Largest mean difference of the predicted overlaps."""


SAM_TOLERANCES = {"fp32": SamTolerance(0.9999, 0.99, 0.005), "fp16": SamTolerance(0.999, 0.95, 0.01)}
"""What each precision may differ by."""


@dataclass(frozen=True)
class SamAgreement:
    """How alike two answers are, as means over all frames.

    The decoder's figures are those of both graphs in turn, of the picture and not of PyTorch's embedding.
    """

    frames: int
    points: int
    """How many points were asked for in each frame."""
    cosine: float
    """Cosine similarity of the embeddings, position by position."""
    mask_iou: float
    """Intersection over union of the masks; 1 of two empty ones."""
    predicted_iou: float
    """Absolute difference of the predicted overlaps."""
    finite: bool
    tolerance: SamTolerance

    @property
    def passed(self) -> bool:
        """Whether everything is finite and within `tolerance`."""
        limit = self.tolerance
        alike = self.cosine >= limit.cosine and self.mask_iou >= limit.mask_iou
        return self.finite and alike and self.predicted_iou <= limit.predicted_iou

    def __str__(self) -> str:
        verdict = "agree with" if self.passed else "differ from"
        if not self.finite:
            return f"{verdict} PyTorch: they answer NaN or infinite values"
        limit = self.tolerance
        return (
            f"{verdict} PyTorch: mean cosine {self.cosine:.6f} of embeddings (at least {limit.cosine:g}), mean IoU "
            f"{self.mask_iou:.4f} of masks (at least {limit.mask_iou:g}), predicted IoU off by "
            f"{self.predicted_iou:.2g} (at most {limit.predicted_iou:g}) over {self.frames} frames"
        )


def compare_answers(pairs: Iterable[tuple[SamAnswer, SamAnswer]], tolerance: SamTolerance) -> SamAgreement:
    """Compare the graphs' answer with PyTorch's, the second, of each frame; frames have equally many points."""
    pairs = list(pairs)
    points = len(pairs[0][1].iou)
    if not all(found.finite for found, _ in pairs):
        # Zeros and not NaN, so that the manifest and the reports stay valid JSON.
        return SamAgreement(len(pairs), points, 0.0, 0.0, 0.0, False, tolerance)
    return SamAgreement(
        frames=len(pairs),
        points=points,
        cosine=float(np.mean([_cosines(found.embedding, true.embedding) for found, true in pairs])),
        mask_iou=float(np.mean([_overlaps(found.masks > 0, true.masks > 0) for found, true in pairs])),
        predicted_iou=float(np.mean([np.abs(found.iou - true.iou) for found, true in pairs])),
        finite=True,
        tolerance=tolerance,
    )


def _cosines(found: Floats, true: Floats) -> NDArray[np.float64]:
    """Cosine similarity over the channels, axis 1, at every position."""
    a, b = found.astype(np.float64), true.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny))


def _overlaps(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union of the last two axes; 1 where both are empty."""
    shared, either = (np.count_nonzero(kind, axis=(-2, -1)) for kind in (found & true, found | true))
    return np.where(either == 0, 1.0, shared / np.maximum(either, 1))
