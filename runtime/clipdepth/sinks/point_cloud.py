"""Depth as coloured point clouds, in the PLY files that MeshLab, CloudCompare, Blender and Open3D read."""

import numpy as np
from numpy.typing import NDArray

from clipdepth.frame import DepthFrame

VERTEX = np.dtype([*((axis, "<f4") for axis in "xyz"), *((colour, "u1") for colour in ("red", "green", "blue"))])
TYPE_NAMES = {"<f4": "float", "|u1": "uchar"}


def encode_ply(frame: DepthFrame) -> bytes:
    """A frame and its depth as a PLY file; see `point_cloud`."""
    return ply(point_cloud(frame))


def point_cloud(frame: DepthFrame) -> NDArray[np.void]:
    """`DepthFrame.points` with their colours, row by row as VERTEX records; pixels without depth are left out."""
    places = frame.points()
    known = np.isfinite(frame.depth) & (frame.depth > 0)
    places = places[known]
    points = np.empty(len(places), VERTEX)
    for axis, name in enumerate("xyz"):
        points[name] = places[:, axis]
    for channel, colour in enumerate(("blue", "green", "red")):
        points[colour] = frame.image[..., channel][known]
    return points


def ply(points: NDArray[np.void]) -> bytes:
    """VERTEX records as a PLY file, binary and little endian (Greg Turk's format 1.0)."""
    fields = [f"property {TYPE_NAMES[VERTEX[name].str]} {name}" for name in VERTEX.names or ()]
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}", *fields, "end_header", ""]
    return "\n".join(lines).encode("ascii") + points.tobytes()
