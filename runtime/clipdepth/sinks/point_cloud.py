"""Depth as coloured point clouds, in the PLY files that MeshLab, CloudCompare, Blender and Open3D read."""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.frame import DepthFrame
from clipdepth.sinks.row_blocks import row_blocks

_VERTEX = [*((axis, "<f4") for axis in "xyz"), *((colour, "u1") for colour in ("red", "green", "blue"))]
VERTEX, CONFIDENT_VERTEX = np.dtype(_VERTEX), np.dtype([*_VERTEX, ("confidence", "<f4")])
TYPE_NAMES = {"<f4": "float", "|u1": "uchar"}


def write_ply(frame: DepthFrame, file: BinaryIO) -> None:
    """Write `DepthFrame.points` with their colours, row by row; pixels without depth are left out.

    Where the model says how sure it is, each has the property `confidence` too, from 0 to 1.

    A binary, little-endian PLY file (Greg Turk's format 1.0), with a comment that has the camera and says where its
    focal lengths come from. Raises as `DepthFrame.points` does.
    """
    blocks = list(row_blocks(*frame.metres.shape))
    count = sum(int(np.count_nonzero(_known(frame, rows))) for rows in blocks)
    file.write(_header(count, frame.intrinsics, _fields(frame)))
    for rows in blocks:
        file.write(_vertices(frame, rows).data)


def _known(frame: DepthFrame, rows: slice) -> NDArray[np.bool_]:
    depth = frame.depth[rows]
    return np.isfinite(depth) & (depth > 0)


def _vertices(frame: DepthFrame, rows: slice) -> NDArray[np.void]:
    """Records of the known pixels of these rows."""
    known = _known(frame, rows)
    places = frame.points(rows)[known]
    points = np.empty(len(places), _fields(frame))
    for axis, name in enumerate("xyz"):
        points[name] = places[:, axis]
    for channel, colour in enumerate(("blue", "green", "red")):
        points[colour] = frame.image[rows, :, channel][known]
    if frame.confidence is not None:
        points["confidence"] = frame.confidence[rows][known]
    return points


def _fields(frame: DepthFrame) -> np.dtype[np.void]:
    """What a point has."""
    return VERTEX if frame.raw_confidence is None else CONFIDENT_VERTEX


def _header(count: int, pinhole: Intrinsics, point: np.dtype[np.void]) -> bytes:
    fields = [f"property {TYPE_NAMES[point[name].str]} {name}" for name in point.names or ()]
    values = " ".join(f"{name} {getattr(pinhole, name):g}" for name in ("fx", "fy", "cx", "cy"))
    camera = f"comment camera {pinhole.origin}: {values} px at {pinhole.width}x{pinhole.height}"
    lines = ["ply", "format binary_little_endian 1.0", camera, f"element vertex {count}", *fields, "end_header", ""]
    return "\n".join(lines).encode("ascii")
