"""The window of `clipdepth calibrate --checkerboard`."""

import numpy as np
from numpy.typing import NDArray

from clipdepth.sinks.screen import QUIT_KEYS, Screen, check_display

KEYS = (*QUIT_KEYS, "Return", "KP_Enter")
REMEDY = "give --no-show and follow the terminal"


class LensWindow:
    """A live picture, from `__enter__` to `__exit__`; all its methods are of one thread."""

    def __init__(self, title: str) -> None:
        check_display(REMEDY)
        self._screen = Screen(KEYS)
        self._pane = self._screen.open(title)

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show a picture, (H, W, 3) uint8 BGR; return whether the user has had enough: by a key or by closing it."""
        self._pane.show(picture)
        self._screen.update()
        return self._screen.had_enough

    def __enter__(self) -> "LensWindow":
        return self

    def __exit__(self, *_: object) -> None:
        self._screen.__exit__()
