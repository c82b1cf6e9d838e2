"""One RGB-D pair, and the Protocol of a set of them."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "test"]


@dataclass(frozen=True)
class RgbdPair:
    """A picture and its depth.

    `frame` is (H, W, 3) uint8 BGR; `depth` is (H, W) float32 metres, 0 where it is unknown.
    """

    frame: NDArray[np.uint8]
    depth: NDArray[np.float32]


class RgbdSet(Protocol):
    """A set of pairs that are read or rendered when they are asked for."""

    focal: tuple[float, float]
    """The camera's (fx, fy), in pixels of its own pictures."""
    picture_size: tuple[int, int]
    """Height and width of its pictures."""
    shuffle_window: int
    """How many neighbouring pairs are shuffled together: all, but where neighbours share what is costly to make."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> RgbdPair: ...
