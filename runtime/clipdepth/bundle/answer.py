"""What a graph answers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Answer(NamedTuple):
    """Depth of frames, (N, H, W) float32, and where the model says it how sure it is; else None twice.

    `confidence` is likewise, from 0 to 1, and `novelty` (N,) float32, of each frame as a whole: see
    `clipdepth.bundle.confidence`.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32] | None = None
    novelty: NDArray[np.float32] | None = None

    def frames(self) -> "list[Answer]":
        """The answer to each frame: (H, W) float32, and its novelty, of no dimension."""
        confidence, novelty = ([None] * len(self.depth) if part is None else [*part] for part in self[1:])
        return [Answer(*of_frame) for of_frame in zip(self.depth, confidence, novelty, strict=True)]


def join(answers: Sequence[Answer]) -> Answer:
    """The answers to some frames as the answer to all."""
    depth, *others = zip(*answers, strict=True)
    confidence, novelty = (None if part[0] is None else np.concatenate(part) for part in others)
    return Answer(np.concatenate(depth), confidence, novelty)
