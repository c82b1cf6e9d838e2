"""Pictures and depth in ROS's messages: sensor_msgs/Image and CompressedImage, of ROS 1 and 2."""

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import DataError
from clipdepth.files.picture_file import PictureError, decode_picture
from clipdepth_train.data.datasets.pair import Depth, Picture

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
MILLIMETRES = ("16UC1", "mono16")
"""Encodings of depth in millimetres (REP 118); 32FC1 is in metres."""
_CONFIG = struct.Struct("<iff")
"""What compressed_depth_image_transport puts before its PNG: format, and a and b of 1 / depth."""
_PNG = b"\x89PNG"


def picture_of(message: Any, topic: str) -> Picture:
    """The picture of a message, (H, W, 3) uint8 BGR; raises DataError for an encoding that is not known."""
    if hasattr(message, "format"):
        return np.asarray(_decoded(bytes(message.data), cv2.IMREAD_COLOR, topic), np.uint8)
    if message.encoding not in _COLOURS:
        raise DataError(f"{topic} has pictures of encoding {message.encoding}; record one of {', '.join(_COLOURS)}")
    channels, code = _COLOURS[message.encoding]
    rows = _rows(message, np.dtype(np.uint8), channels, topic)
    whole = rows.reshape(message.height, message.width, channels) if channels > 1 else rows
    return np.asarray(whole if code is None else cv2.cvtColor(np.ascontiguousarray(whole), code), np.uint8)


def depth_of(message: Any, topic: str) -> Depth:
    """The depth of a message, (H, W) float32 metres, 0 or not finite where it is unknown.

    Raises DataError for an encoding that is not known.
    """
    if hasattr(message, "format"):
        return _compressed_depth(message, topic)
    order = ">" if message.is_bigendian else "<"
    if message.encoding in MILLIMETRES:
        millimetres = _rows(message, np.dtype(f"{order}u2"), 1, topic)
        return np.asarray(millimetres / np.float32(1000), np.float32)
    if message.encoding == "32FC1":
        return np.asarray(_rows(message, np.dtype(f"{order}f4"), 1, topic), np.float32)
    raise DataError(f"{topic} has depth of encoding {message.encoding}; record 16UC1 in millimetres or 32FC1 in metres")


def _rows(message: Any, dtype: np.dtype[Any], channels: int, topic: str) -> NDArray[Any]:
    """The rows without what pads them, (H, W · channels)."""
    length = message.width * channels * dtype.itemsize
    data = np.frombuffer(bytes(message.data), np.uint8)
    if message.step < length or len(data) < message.step * message.height:
        raise DataError(f"{topic} has a picture with {len(data)} bytes, too few; record it again")
    rows = data[: message.step * message.height].reshape(message.height, message.step)[:, :length]
    return np.ascontiguousarray(rows).view(dtype)


def _compressed_depth(message: Any, topic: str) -> Depth:
    """Of compressed_depth_image_transport: a header and a PNG of millimetres, or of a / depth + b."""
    data, encoding = bytes(message.data), message.format.partition(";")[0].strip()
    at = next((at for at in (0, _CONFIG.size) if data[at : at + 4] == _PNG), None)
    if at is None:
        raise DataError(f"{topic} has depth of format '{message.format}'; record PNG or uncompressed depth")
    units = _decoded(data[at:], cv2.IMREAD_UNCHANGED, topic)
    if units.dtype != np.uint16 or units.ndim != 2:
        raise DataError(f"{topic} has compressed depth that is no 16-bit PNG; record compressedDepth")
    if encoding != "32FC1":
        return np.asarray(units / np.float32(1000), np.float32)
    if at == 0:
        raise DataError(f"{topic} has 32FC1 depth without its header; record compressedDepth")
    _, a, b = _CONFIG.unpack_from(data)
    with np.errstate(divide="ignore"):
        return np.where(units == 0, 0, a / (units.astype(np.float64) - b)).astype(np.float32)


def _decoded(data: bytes, flags: int, topic: str) -> NDArray[np.generic]:
    try:
        return decode_picture(data, flags)
    except PictureError as error:
        raise DataError(f"a compressed picture of {topic} {error}; record it again") from None
