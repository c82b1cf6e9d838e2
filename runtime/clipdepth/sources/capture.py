"""What sources need of OpenCV's VideoCapture."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Capture(Protocol):
    """An open video, camera or stream, as `cv2.VideoCapture` is one; the last reference to it closes it."""

    def isOpened(self) -> bool:  # noqa: N802, OpenCV's name
        """Whether it can be read."""

    def read(self) -> tuple[bool, Any]:
        """Wait for the next frame; False where there is none."""

    def get(self, prop: int, /) -> float:
        """A property's value."""

    def set(self, prop: int, value: float, /) -> bool:
        """Ask for a property's value."""


def read_frame(capture: Capture) -> NDArray[np.uint8] | None:
    """Read the next frame, (H, W, 3) uint8 BGR; None at the end, or where it cannot be read."""
    read, frame = capture.read()
    return np.asarray(frame, np.uint8) if read else None
