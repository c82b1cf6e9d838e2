"""What a graph answers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Answer(NamedTuple):
    """Depth of frames, (N, H, W) float32, and how sure it is, likewise from 0 to 1; None where the model has no such.

    `clipdepth.bundle.confidence` says what a confidence means.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32] | None = None

    def frames(self) -> "list[Answer]":
        """The answer to each frame, (H, W) float32."""
        confidence = [None] * len(self.depth) if self.confidence is None else [*self.confidence]
        return [Answer(*of_frame) for of_frame in zip(self.depth, confidence, strict=True)]


def join(answers: Sequence[Answer]) -> Answer:
    """The answers to some frames as the answer to all."""
    confidence = [answer.confidence for answer in answers if answer.confidence is not None]
    return Answer(
        np.concatenate([answer.depth for answer in answers]), np.concatenate(confidence) if confidence else None
    )
