"""Depth in ROS's messages: sensor_msgs/Image and CompressedImage, of ROS 1 and 2."""

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import SourceError
from clipdepth.sources.ros.pictures import decoded, rows_of

MILLIMETRES = ("16UC1", "mono16")
"""Encodings of depth in millimetres (REP 118); 32FC1 is in metres."""
_CONFIG = struct.Struct("<iff")
"""What compressed_depth_image_transport puts before its PNG: format, and a and b of 1 / depth."""
_PNG = b"\x89PNG"


def depth_of(message: Any, topic: str) -> NDArray[np.float32]:
    """The depth of a message, (H, W) float32 metres, 0 or not finite where it is unknown.

    Raises SourceError for an encoding that is not known.
    """
    if hasattr(message, "format"):
        return _compressed_depth(message, topic)
    order = ">" if message.is_bigendian else "<"
    if message.encoding in MILLIMETRES:
        millimetres = rows_of(message, np.dtype(f"{order}u2"), 1, topic)
        return np.asarray(millimetres / np.float32(1000), np.float32)
    if message.encoding == "32FC1":
        return np.asarray(rows_of(message, np.dtype(f"{order}f4"), 1, topic), np.float32)
    raise SourceError(
        f"{topic} has depth of encoding {message.encoding}; record 16UC1 in millimetres or 32FC1 in metres"
    )


def _compressed_depth(message: Any, topic: str) -> NDArray[np.float32]:
    """Of compressed_depth_image_transport: a header and a PNG of millimetres, or of a / depth + b."""
    data, encoding = bytes(message.data), message.format.partition(";")[0].strip()
    at = next((at for at in (0, _CONFIG.size) if data[at : at + 4] == _PNG), None)
    if at is None:
        raise SourceError(f"{topic} has depth of format '{message.format}'; record PNG or uncompressed depth")
    units = decoded(data[at:], cv2.IMREAD_UNCHANGED, topic)
    if units.dtype != np.uint16 or units.ndim != 2:
        raise SourceError(f"{topic} has compressed depth that is no 16-bit PNG; record compressedDepth")
    if encoding != "32FC1":
        return np.asarray(units / np.float32(1000), np.float32)
    if at == 0:
        raise SourceError(f"{topic} has 32FC1 depth without its header; record compressedDepth")
    _, a, b = _CONFIG.unpack_from(data)
    with np.errstate(divide="ignore"):
        return np.where(units == 0, 0, a / (units.astype(np.float64) - b)).astype(np.float32)
