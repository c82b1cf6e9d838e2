"""Several cameras in one file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clipdepth.camera.sized import ASPECT_TOLERANCE, SizedCamera
from clipdepth.errors import SourceError
from clipdepth.files.foreign import shown

MOST_NAMED = 8


@dataclass(frozen=True)
class ListedCameras:
    """The cameras of a file, by the names that they have there: pictures tell by their size which one films."""

    path: Path
    cameras: Mapping[str, SizedCamera]

    def resized(self, width: int, height: int) -> SizedCamera:
        """The one whose pictures have that size, or else that shape, with its pictures at `width` × `height`.

        Raises SourceError, naming them, where none or several do.
        """
        for tolerance in (0.0, ASPECT_TOLERANCE):
            fitting = {name: camera for name, camera in self.cameras.items() if _fits(camera, width, height, tolerance)}
            if len(set(fitting.values())) == 1:
                return next(iter(fitting.values())).resized(width, height)
            if fitting:
                break
        fit = "several of them" if fitting else "none of them"
        raise SourceError(
            f"{self.path} has the cameras {named(fitting or self.cameras)}, and {fit} may have taken the "
            f"{width}×{height} pictures; give --camera-id (camera_id in Python)"
        )


def named(cameras: Mapping[str, SizedCamera]) -> str:
    """Their names and sizes, for errors."""
    listed = [
        f"{shown(name)} ({camera.intrinsics.width}×{camera.intrinsics.height})"
        for name, camera in list(cameras.items())[:MOST_NAMED]
    ]
    return ", ".join(listed) + (" …" if len(cameras) > MOST_NAMED else "")


def _fits(camera: SizedCamera, width: int, height: int, tolerance: float) -> bool:
    known = camera.intrinsics
    if not tolerance:
        return (known.width, known.height) == (width, height)
    return abs(width / known.width * known.height / height - 1) <= tolerance
