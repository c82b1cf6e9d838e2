"""A camera's driver, faked."""

import cv2
import numpy as np


class FakeCamera:
    """A camera's driver: takes the nearest size it has, MJPG at 30/s or YUYV at 10/s, and pictures of that size."""

    sizes = ((640, 480), (1280, 720))

    def __init__(self, opened: bool = True) -> None:
        self.asked: list[int] = []
        self._opened = opened
        self._values: dict[int, float] = {
            cv2.CAP_PROP_FRAME_WIDTH: 640,
            cv2.CAP_PROP_FRAME_HEIGHT: 480,
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"YUYV"),
        }

    def isOpened(self) -> bool:
        return self._opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        width, height = self._size()
        return True, np.zeros((height, width, 3), np.uint8)

    def get(self, prop: int, /) -> float:
        if prop == cv2.CAP_PROP_FPS:
            return 30 if self._values[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG") else 10
        return self._values[prop]

    def set(self, prop: int, value: float, /) -> bool:
        self.asked.append(prop)
        self._values[prop] = value
        return True

    def _size(self) -> tuple[int, int]:
        return min(self.sizes, key=lambda size: abs(size[0] - self._values[cv2.CAP_PROP_FRAME_WIDTH]))
