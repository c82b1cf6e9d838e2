"""Depth as coloured point clouds, in the PLY files that MeshLab, CloudCompare, Blender and Open3D read."""

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.sources import Captured

VERTEX = np.dtype([*((axis, "<f4") for axis in "xyz"), *((colour, "u1") for colour in ("red", "green", "blue"))])
TYPE_NAMES = {"<f4": "float", "|u1": "uchar"}


def encode_ply(captured: Captured, depth: NDArray[np.float32], pinhole: Intrinsics) -> bytes:
    """A frame and its depth, (H, W) float32 metres, as a PLY file; see `point_cloud`."""
    return ply(point_cloud(captured.frame, depth, pinhole))


def point_cloud(frame: NDArray[np.uint8], depth: NDArray[np.float32], pinhole: Intrinsics) -> NDArray[np.void]:
    """The points of a frame, (H, W, 3) uint8 BGR, with depth, (H, W) float32 metres, row by row as VERTEX records.

    Metres from the camera: x to the right, y down, z along the optical axis. Pixels without depth are left out.
    """
    known = np.isfinite(depth) & (depth > 0)
    row, column = np.nonzero(known)
    z = depth[known]
    points = np.empty(len(z), VERTEX)
    points["x"] = (column - pinhole.cx) / pinhole.fx * z
    points["y"] = (row - pinhole.cy) / pinhole.fy * z
    points["z"] = z
    for channel, colour in enumerate(("blue", "green", "red")):
        points[colour] = frame[..., channel][known]
    return points


def ply(points: NDArray[np.void]) -> bytes:
    """VERTEX records as a PLY file, binary and little endian (Greg Turk's format 1.0)."""
    fields = [f"property {TYPE_NAMES[VERTEX[name].str]} {name}" for name in VERTEX.names or ()]
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}", *fields, "end_header", ""]
    return "\n".join(lines).encode("ascii") + points.tobytes()
