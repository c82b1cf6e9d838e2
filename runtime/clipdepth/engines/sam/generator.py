"""Segment Anything's automatic masks of a whole picture, in NumPy around its two graphs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clipdepth.engines.sam.resize import fitting_size, resize_picture, upscale_masks
from clipdepth.engines.sam.selection import bounding_box, stability, suppress_overlaps

GraphCall = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]
"""A graph on an engine: from its inputs by name to its outputs by name."""


@dataclass(frozen=True)
class MaskGenerator:
    """Asks for masks at a grid of points and keeps the good ones, as segment-anything's SamAutomaticMaskGenerator."""

    encoder: GraphCall
    """`frame` uint8 (1, S, S, 3) BGR, the picture in its top-left corner, and `size` int64 (2,), the picture's height
    and width in it, to `embedding` float32 (1, C, S/16, S/16)."""
    decoder: GraphCall
    """`embedding` and `points` float32 (N, 2), x and y in pixels of the S×S frame, to `masks` float32
    (N, 3, S/4, S/4), logits, and `iou` float32 (N, 3), the overlap with the true object as SAM predicts it."""
    image_size: int
    """S, 1024 for the published variants."""
    points_per_side: int = 32
    pred_iou_thresh: float = 0.88
    """A mask is kept where its predicted overlap is above this; 0 keeps all."""
    stability_score_thresh: float = 0.95
    """A mask is kept where another cutoff changes it at most this little; 0 keeps all."""
    points_per_batch: int = 8
    """How many points are decoded at once; the last batch may be smaller."""

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The masks of `frame`, (H, W, 3) uint8 BGR: (N, H, W) bool, best first, none empty.

        They may overlap and leave pixels out.
        """
        height, width = frame.shape[:2]
        found = list(self._candidates(frame))
        boxes = np.array([candidate.box for candidate in found], np.float32).reshape(-1, 4)
        kept = suppress_overlaps(boxes, np.array([candidate.score for candidate in found], np.float32))
        masks = [np.unpackbits(found[i].bits, count=height * width) for i in kept]
        return np.array(masks, np.bool_).reshape(len(kept), height, width)

    def embed(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The encoder's `embedding` of `frame`, (H, W, 3) uint8 BGR."""
        height, width = fitting_size(frame.shape[0], frame.shape[1], self.image_size)
        padded = np.zeros((1, self.image_size, self.image_size, 3), np.uint8)
        padded[0, :height, :width] = resize_picture(frame, height, width)
        return self.encoder({"frame": padded, "size": np.array([height, width], np.int64)})["embedding"]

    def points(self, height: int, width: int) -> NDArray[np.float32]:
        """The grid over a picture of H×W, row by row: (points², 2), x and y in pixels of the encoder's frame."""
        fitted = fitting_size(height, width, self.image_size)
        y, x = ((np.arange(self.points_per_side) + 0.5) / self.points_per_side * side for side in fitted)
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)

    def batches(self, height: int, width: int) -> list[NDArray[np.float32]]:
        """The grid's points in the parts in which the decoder takes them."""
        points = self.points(height, width)
        return [points[start : start + self.points_per_batch] for start in range(0, len(points), self.points_per_batch)]

    def _candidates(self, frame: NDArray[np.uint8]) -> "Iterator[_Candidate]":
        for small, score in self._predictions(frame):
            logits = upscale_masks(small, *frame.shape[:2])
            mask = logits > 0
            if mask.any() and stability(logits) >= self.stability_score_thresh:
                yield _Candidate(np.packbits(mask), bounding_box(mask), float(score))

    def _predictions(self, frame: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.float32], np.float32]]:
        """The decoder's masks that SAM predicts to be good, (S/4, S/4) logits, each with its predicted overlap."""
        embedding = self.embed(frame)
        for points in self.batches(*frame.shape[:2]):
            answer = self.decoder({"embedding": embedding, "points": points})
            masks, scores = answer["masks"], answer["iou"]
            good = scores > (self.pred_iou_thresh or -np.inf)
            yield from zip(masks[good], scores[good], strict=True)


class _Candidate(NamedTuple):
    bits: NDArray[np.uint8]
    """The mask's pixels, eight a byte: there can be thousands of masks."""
    box: tuple[int, int, int, int]
    score: float
