"""Which of Segment Anything's masks are kept: the measures of its automatic mask generator."""

import numpy as np
from numpy.typing import NDArray

_OFFSET = 1.0
"""How far the cutoff of a mask's logits, 0, is moved to see how stable the mask is."""


def stability(logits: NDArray[np.float32]) -> float:
    """The overlap, as intersection over union, of a mask cut off 1 higher and 1 lower; 0 where both are empty."""
    union = np.count_nonzero(logits > -_OFFSET)
    return np.count_nonzero(logits > _OFFSET) / union if union else 0.0


def bounding_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The first and last column and row of a mask, (H, W) bool with a pixel, as left, top, right, bottom."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def suppress_overlaps(boxes: NDArray[np.float32], scores: NDArray[np.float32], most: float = 0.7) -> list[int]:
    """Indices of the boxes, (N, 4) left, top, right, bottom, that overlap no kept box of higher score; best first.

    To overlap is to have an intersection over union above `most`; of equal scores the first counts as higher.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, *_ = order
        kept.append(int(best))
        order = order[1:]
        # In float64, as torchvision compares: 0.3 as float32 is above 0.3.
        order = order[_overlaps(boxes[best], boxes[order]).astype(np.float64) <= most]
    return kept


def _overlaps(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union with each of the others, (N,); 0 of two boxes without area."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    union = _areas(box) + _areas(others) - shared
    return np.asarray(np.where(union > 0, shared / np.maximum(union, 1), 0), np.float32)


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).prod(axis=-1), np.float32)
