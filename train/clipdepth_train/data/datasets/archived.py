"""What `clipdepth archive` says of the depth that it wrote."""

import json
from pathlib import Path
from typing import Any

from clipdepth.bundle.stored_file import stored_file
from clipdepth.camera.camera import Camera
from clipdepth.errors import DataError

FILE = "archive.json"


def is_straight(depth: Path, camera: Camera) -> bool:
    """Whether the depth video was made with the calibration of `camera`, and so belongs to the straight picture.

    That is what the archive's own file says, above the video. Raises DataError where it names another calibration, or
    another field of view of the straight picture.
    """
    archive = next((folder / FILE for folder in depth.resolve().parents if (folder / FILE).is_file()), None)
    made = {} if archive is None else _camera(archive)
    if "calibration" not in made:
        return False
    if camera.calibration is None or stored_file(camera.calibration).sha256 != made["calibration"]:
        raise DataError(f"{archive} was made with another --calibration; give that one")
    if _choice(made) != (camera.undistorted_fov, camera.camera_id):
        raise DataError(f"{archive} was made with another --undistorted-fov or --camera-id; give the same")
    return True


def _camera(archive: Path) -> dict[str, Any]:
    try:
        camera: dict[str, Any] = json.loads(archive.read_text(encoding="utf-8"))["camera"]
        return {name: value for name, value in camera.items() if value is not None}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DataError(f"{archive} is not of 'clipdepth archive'; make the archive again") from None


def _choice(made: dict[str, Any]) -> tuple[float | None, str | None]:
    return made.get("undistorted_fov"), made.get("camera_id")
