"""Pictures in ROS's messages: sensor_msgs/Image and CompressedImage, of ROS 1 and 2."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import SourceError
from clipdepth.files.picture_file import PictureError, decode_picture

# Channels of 8 bits, and what OpenCV makes BGR of them with; None where they are BGR.
_COLOURS: dict[str, tuple[int, int | None]] = {
    "bgr8": (3, None),
    "8UC3": (3, None),
    "rgb8": (3, cv2.COLOR_RGB2BGR),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "8UC4": (4, cv2.COLOR_BGRA2BGR),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "mono8": (1, cv2.COLOR_GRAY2BGR),
    "8UC1": (1, cv2.COLOR_GRAY2BGR),
    "yuv422": (2, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2BGR_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2BGR_YUY2),
    # OpenCV names a Bayer pattern by its second row.
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2BGR),
}
_DEPTHS = ("16UC1", "32FC1")
"""What the format of a CompressedImage begins with where it is depth."""


def picture_of(message: Any, topic: str) -> NDArray[np.uint8]:
    """The picture of a message, (H, W, 3) uint8 BGR.

    Raises SourceError for an encoding that is not known, and for a compressed picture that is damaged.
    """
    if hasattr(message, "format"):
        if message.format.partition(";")[0].strip() in _DEPTHS:
            raise SourceError(f"{topic} has pictures of format '{message.format}', which is depth; give colour")
        return np.asarray(decoded(bytes(message.data), cv2.IMREAD_COLOR, topic), np.uint8)
    if message.encoding not in _COLOURS:
        raise SourceError(f"{topic} has pictures of encoding {message.encoding}; give one of {', '.join(_COLOURS)}")
    channels, code = _COLOURS[message.encoding]
    rows = rows_of(message, np.dtype(np.uint8), channels, topic)
    whole = rows.reshape(message.height, message.width, channels) if channels > 1 else rows
    return np.asarray(whole if code is None else cv2.cvtColor(np.ascontiguousarray(whole), code), np.uint8)


def rows_of(message: Any, dtype: np.dtype[Any], channels: int, topic: str) -> NDArray[Any]:
    """The rows of a message that is not compressed, without what pads them, (H, W · channels)."""
    length = message.width * channels * dtype.itemsize
    data = np.frombuffer(bytes(message.data), np.uint8)
    if message.step < length or len(data) < message.step * message.height:
        raise SourceError(f"{topic} has a picture with {len(data)} bytes, too few; its sender or its file is damaged")
    rows = data[: message.step * message.height].reshape(message.height, message.step)[:, :length]
    return np.ascontiguousarray(rows).view(dtype)


def decoded(data: bytes, flags: int, topic: str) -> NDArray[np.generic]:
    """The pixels of a compressed picture as `cv2.imdecode` has them; raises SourceError for a damaged one."""
    try:
        return decode_picture(data, flags)
    except PictureError as error:
        raise SourceError(f"a compressed picture of {topic} {error}; check its sender, or record it again") from None
