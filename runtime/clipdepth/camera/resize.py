"""How pictures, depth and masks are resized; `Letterbox` says to which size."""

import cv2
import numpy as np
from numpy.typing import NDArray


def resize_frame(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize a frame, (H, W, 3) uint8, to (height, width, 3): area when it shrinks, bilinear otherwise."""
    if frame.shape[:2] == (height, width):
        return frame
    shrinks = height <= frame.shape[0] and width <= frame.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, (width, height), interpolation=method), np.uint8)


def resize_depth(depth: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Resize predicted depth, (H, W) float32 metres without gaps, bilinearly to (height, width)."""
    if depth.shape == (height, width):
        return depth
    return np.asarray(cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def resize_measured_depth(depth: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Resize measured depth, (H, W) float32 metres with 0 for no reading, by nearest neighbour.

    Nearest, since a mean of two readings across an edge is a depth that is nowhere in the scene.
    """
    if depth.shape == (height, width):
        return depth
    return np.asarray(cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.float32)


def resize_answer(answer: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Resize a network's answer, (H, W) float32 with 0 where it says nothing: bilinearly, if it has no such gap.

    With gaps by nearest neighbour, since a mean with nothing is no answer.
    """
    resize = resize_depth if (answer > 0).all() else resize_measured_depth
    return resize(answer, height, width)


def resize_segmentation(painted: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize painted masks, (H, W, 3) uint8, by nearest neighbour: a mean of two colours is no mask's colour."""
    if painted.shape[:2] == (height, width):
        return painted
    return np.asarray(cv2.resize(painted, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
