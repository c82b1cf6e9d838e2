"""Small RGB-D folders written by hand, for tests."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def write_png(path: Path, picture: NDArray[np.generic]) -> Path:
    """Write a picture or 16-bit depth as PNG (or JPEG, by the suffix)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written, data = cv2.imencode(path.suffix, np.asarray(picture))
    assert written
    path.write_bytes(data.tobytes())
    return path


def millimetres(value: int = 2000, height: int = 6, width: int = 8) -> NDArray[np.uint16]:
    """Depth, all the same."""
    return np.full((height, width), value, np.uint16)


def colours(value: int = 100, height: int = 6, width: int = 8) -> NDArray[np.uint8]:
    """A picture (H, W, 3) uint8 BGR, all the same: blue is `value`, green one more, red two more."""
    return np.full((height, width, 3), [value, value + 1, value + 2], np.uint8)


def write_pair(folder: Path, name: str, value: int = 2000, suffix: str = ".png") -> None:
    """Write `folder`/rgb_NAME and sync_depth_NAME.png; blue and millimetres tell which pair it is."""
    write_png(folder / f"rgb_{name}{suffix}", colours(value // 100))
    write_png(folder / f"sync_depth_{name}.png", millimetres(value))
