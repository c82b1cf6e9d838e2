"""What the viewer's page gets: a frame and its depth as one binary message.

Little endian: uint32 length of the header; the header, JSON; the frame as JPEG; the depth, see `levels` and `pack`.
Where the header has `confidence`, that follows at the depth's size, see `to_levels` and `pack`; where it has
`measured`, the depth that a sensor of the source measured, at the same pixels and in the form of the depth.
"""

import json
import zlib
from dataclasses import dataclass
from typing import Any

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
    planes = {"depth": pack(depth)}
    if shot.frame.raw_confidence is not None:
        planes["confidence"] = pack(to_levels(sample(shot.frame.raw_confidence, *depth.shape)))
    if shot.frame.measured is not None and shot.frame.kind == METRIC:
        planes["measured"] = pack(to_millimetres(sample(shot.frame.measured, *depth.shape)))
    header: dict[str, Any] = {
        "number": shot.number,
        "frame": shot.frame.index,
        "time": round(shot.frame.time, 3),
        "age": round(shot.age, 6),
        "captured": round(shot.frame.captured_ns / 1e9, 3),
        "camera": shot.frame.intrinsics.origin,
        "pinhole": pinhole(shot.frame),
        "novel": shot.frame.novelty is not None and shot.frame.novelty > NOVEL,
        "picture": {"width": image.shape[1], "height": image.shape[0], "bytes": picture.nbytes},
        **{name: {"bytes": len(plane)} for name, plane in planes.items()},
    }
    header["depth"] |= {**size, "kind": shot.frame.kind}
    text = json.dumps(header, separators=(",", ":")).encode()
    return b"".join((len(text).to_bytes(4, "little"), text, picture.tobytes(), *planes.values()))


def pinhole(frame: DepthFrame) -> dict[str, float] | None:
    """The pinhole of the network's own depth, of which `sample` takes pixels; None where no focal length is known."""
    if not frame.intrinsics.is_known:
        return None
    height, width = frame.raw.shape
    resized = frame.intrinsics.resized(width, height)
    return {name: getattr(resized, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}


def levels(frame: DepthFrame) -> NDArray[np.uint16]:
    """The depth of a frame as it is sent, (h, w) uint16, 0 for unknown: millimetres where it is metric.

    It is of every so many-th pixel, so that at most DEPTH_WIDTH are in a row.
    Where it is not, they go from 1000 for the frame's nearest to 2000 for its farthest, see `spread`.
    """
    height, width = frame.raw.shape
    columns = min(width, DEPTH_WIDTH)
    depth = sample(frame.raw_depth, max(1, round(height * columns / width)), columns)
    return to_millimetres(depth if frame.kind == METRIC else spread(depth, frame.kind))


def sample(plane: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """The pixels in the middle of `rows` × `columns` equal parts; values as they are, none averaged."""
    height, width = plane.shape
    return plane[np.ix_(_centres(height, rows), _centres(width, columns))]


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
