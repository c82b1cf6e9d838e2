"""What the viewer's page gets: a frame and its depth as one binary message.

Little endian: uint32 length of the header; the header, JSON; the frame as JPEG; the depth, see `levels` and `pack`.
Where the header has `confidence`, that follows at the depth's size, see `to_levels` and `pack`.
"""

import json
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.confidence import NOVEL, to_levels
from clipdepth.bundle.kind import METRIC
from clipdepth.frame import DepthFrame
from clipdepth.sinks.depth_png import to_millimetres
from clipdepth.sinks.relative import spread

PICTURE_WIDTH = 640
DEPTH_WIDTH = 320
"""The greatest widths sent, pixels; heights follow."""
JPEG_QUALITY = 80


@dataclass(frozen=True)
class Shot:
    """A frame and its depth as the viewer got it.

    `number` counts from 0, and `age` is the seconds from the capture until then. The message has the capture as well,
    in seconds of `time.monotonic`, since it may wait here for long.
    """

    number: int
    frame: DepthFrame
    age: float


def encode(shot: Shot) -> bytes:
    """The message of a shot."""
    image = _shrink(shot.frame.image)
    _, picture = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    # The network's own depth: at the frame's size it would be made larger only to be sampled again.
    depth = levels(shot.frame)
    size = {"width": depth.shape[1], "height": depth.shape[0]}
    packed, confidence = pack(depth), b""
    if shot.frame.raw_confidence is not None:
        confidence = pack(to_levels(sample(shot.frame.raw_confidence)))
    header = {
        "number": shot.number,
        "frame": shot.frame.index,
        "time": round(shot.frame.time, 3),
        "age": round(shot.age, 6),
        "captured": round(shot.frame.captured_ns / 1e9, 3),
        "camera": shot.frame.intrinsics.origin,
        "pinhole": pinhole(shot.frame),
        "novel": shot.frame.novelty is not None and shot.frame.novelty > NOVEL,
        "picture": {"width": image.shape[1], "height": image.shape[0], "bytes": picture.nbytes},
        "depth": {**size, "kind": shot.frame.kind, "bytes": len(packed)},
    }
    if confidence:
        header["confidence"] = {"bytes": len(confidence)}
    text = json.dumps(header, separators=(",", ":")).encode()
    return b"".join((len(text).to_bytes(4, "little"), text, picture.tobytes(), packed, confidence))


def pinhole(frame: DepthFrame) -> dict[str, float] | None:
    """The pinhole of the network's own depth, of which `sample` takes pixels; None where no focal length is known."""
    if not frame.intrinsics.is_known:
        return None
    height, width = frame.raw.shape
    resized = frame.intrinsics.resized(width, height)
    return {name: getattr(resized, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}


def levels(frame: DepthFrame) -> NDArray[np.uint16]:
    """The depth of a frame as it is sent, (h, w) uint16, 0 for unknown: millimetres where it is metric.

    Where it is not, they go from 1000 for the frame's nearest to 2000 for its farthest, see `spread`.
    """
    depth = sample(frame.raw_depth)
    return to_millimetres(depth if frame.kind == METRIC else spread(depth, frame.kind))


def sample(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every so many-th pixel, so that at most DEPTH_WIDTH are in a row; values as they are, none averaged."""
    height, width = depth.shape
    columns = min(width, DEPTH_WIDTH)
    rows = max(1, round(height * columns / width))
    return depth[np.ix_(_centres(height, rows), _centres(width, columns))]


def pack(plane: NDArray[np.uint16] | NDArray[np.uint8]) -> bytes:
    """A plane of whole numbers, row after row, each as its difference to the one before, modulo, deflated (zlib)."""
    steps = np.diff(plane.ravel(), prepend=plane.dtype.type(0))
    return zlib.compress(steps.astype(plane.dtype.newbyteorder("<")).tobytes(), 1)


def _centres(length: int, cells: int) -> NDArray[np.int64]:
    """The pixel in the middle of each of `cells` equal parts of a row."""
    return ((np.arange(cells) + 0.5) * length / cells).astype(np.int64)


def _shrink(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    if width <= PICTURE_WIDTH:
        return frame
    size = PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
