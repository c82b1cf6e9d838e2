"""Depth as coloured point clouds, in the PLY files that MeshLab, CloudCompare, Blender and Open3D read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.atomic import atomic_file, make_folder
from clipdepth.errors import OutputError
from clipdepth.intrinsics import Intrinsics
from clipdepth.sources import Captured

VERTEX = np.dtype([*((axis, "<f4") for axis in "xyz"), *((colour, "u1") for colour in ("red", "green", "blue"))])
TYPE_NAMES = {"<f4": "float", "|u1": "uchar"}

PinholeAt = Callable[[int, int], Intrinsics]
"""The pinhole of pictures of a height and a width."""


class PointCloudSink:
    """Writes x_000000.ply and so on for the path x.ply, numbered as the source numbers its frames.

    Each file is whole or not there; an error or Ctrl-C leaves the files of the frames before it.
    """

    def __init__(self, path: Path, pinhole_at: PinholeAt) -> None:
        self.path = path.with_name(f"{path.stem}_*{path.suffix}")
        self._stem, self._suffix = path.stem, path.suffix
        self._pinhole_at = pinhole_at

    def write(self, captured: Captured, depth: NDArray[np.float32]) -> None:
        """See `Sink.write`; the frame is the one that depth belongs to, straightened where the lens bends."""
        cloud = point_cloud(captured.frame, depth, self._pinhole_at(*depth.shape))
        with atomic_file(self.path.with_name(f"{self._stem}_{captured.index:06d}{self._suffix}")) as partial:
            partial.write_bytes(ply(cloud))

    def __enter__(self) -> "PointCloudSink":
        make_folder(self.path.parent)
        if any(self.path.parent.glob(self.path.name)):
            raise OutputError(f"there are {self.path} files already; remove them or choose another name")
        return self

    def __exit__(self, *_: object) -> None:
        pass


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
