"""The window of `clipdepth calibrate --checkerboard`."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.sinks.window import QUIT_KEYS, check_display, is_closed, open_pane

KEYS = (*QUIT_KEYS, 13, 10)
"""q, Esc and Enter."""
REMEDY = "give --no-show and follow the terminal"


class LensWindow:
    """A live picture, from `__enter__` to `__exit__`; all its methods are of one thread."""

    def __init__(self, title: str) -> None:
        check_display(REMEDY)
        self._title = title
        self._is_open = False

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show a picture, (H, W, 3) uint8 BGR; return whether the user has had enough: by a key or by closing it."""
        if not self._is_open:
            open_pane(self._title, picture)
            self._is_open = True
        elif is_closed(self._title):
            return True
        cv2.imshow(self._title, picture)
        return cv2.waitKey(1) & 0xFF in KEYS

    def __enter__(self) -> "LensWindow":
        return self

    def __exit__(self, *_: object) -> None:
        cv2.destroyAllWindows()
        cv2.pollKey()
