"""Views of a checkerboard that are worth keeping: still, different, and all over the picture."""

import math
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.checkerboard import Corners

FEWEST_VIEWS = 8
"""With fewer no lens is fitted."""
ENOUGH_VIEWS, MOST_VIEWS = 20, 60
ENOUGH_COVERAGE = 0.8
CELLS = 6, 4
"""The parts that a picture is divided into: along its longer and its shorter side."""
STILL = 0.004
"""How far corners may move from one frame to the next, as a share of the picture's diagonal."""
DIFFERENT = 0.04
"""How far, on average, a view's corners are from those of every view that is kept, as the same share."""


class Verdict(Enum):
    """What becomes of a view, as advice to who holds the board."""

    KEPT = "kept"
    NOT_SEEN = "show the whole board"
    MOVING = "hold the board still"
    KNOWN = "move the board on, or tilt it"


class BoardViews:
    """The views of one camera's pictures, `width` × `height`.

    With `moving` the pictures follow one another in time, and a view counts only once the board is held still.
    """

    def __init__(self, width: int, height: int, *, moving: bool) -> None:
        self.size = width, height
        self.kept: list[Corners] = []
        across, down = CELLS if width >= height else CELLS[::-1]
        self.covered: NDArray[np.bool_] = np.zeros((down, across), np.bool_)
        """Which parts of the picture have a corner of a view that is kept."""
        self._moving = moving
        self._last: Corners | None = None

    def offer(self, corners: Corners | None) -> Verdict:
        """Keep a view if it is worth it; None for a picture in which the board was not found."""
        last, self._last = self._last, corners
        if corners is None:
            return Verdict.NOT_SEEN
        if self._moving and (last is None or self._distance(corners, last) > STILL):
            return Verdict.MOVING
        if self.is_full or any(self._distance(corners, kept) < DIFFERENT for kept in self.kept):
            return Verdict.KNOWN
        self.kept.append(corners)
        self._cover(corners)
        return Verdict.KEPT

    @property
    def coverage(self) -> float:
        """The share of the picture's parts that are covered."""
        return float(self.covered.mean())

    @property
    def is_enough(self) -> bool:
        """Whether there are enough views, in enough parts of the picture."""
        return self.is_full or (len(self.kept) >= ENOUGH_VIEWS and self.coverage >= ENOUGH_COVERAGE)

    @property
    def is_full(self) -> bool:
        """Whether no more are kept."""
        return len(self.kept) >= MOST_VIEWS

    def _distance(self, corners: Corners, others: Corners) -> float:
        """The mean distance between two views' corners, from whichever end of the board each was counted."""
        means = (np.linalg.norm(corners - other, axis=1).mean() for other in (others, others[::-1]))
        return float(min(means)) / math.hypot(*self.size)

    def _cover(self, corners: Corners) -> None:
        down, across = self.covered.shape
        columns, rows = ((corners + 0.5) * (across, down) / self.size).astype(int).T
        self.covered[rows.clip(0, down - 1), columns.clip(0, across - 1)] = True
