"""Camera files as OpenCV's calibration writes them, through cv2.FileStorage."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import SourceError

SUFFIXES = (".yml", ".yaml", ".xml")
REMEDY = "write it with OpenCV's camera calibration"


def read_camera(path: Path) -> SizedCamera:
    """Read camera_matrix, distortion_coefficients (optional), image_width and image_height.

    Raises SourceError, naming the file and the field, for a file that is none or of a fisheye lens.
    """
    if not path.is_file():
        raise SourceError(f"there is no camera file at {path}; check the path")
    storage = _open(path)
    try:
        _refuse_fisheye(storage, path)
        matrix = _matrix(storage, "camera_matrix", path)
        if matrix is None or matrix.shape != (3, 3):
            raise SourceError(f"{path}: field camera_matrix is not a 3×3 matrix; {REMEDY}")
        distortion = _matrix(storage, "distortion_coefficients", path)
        width, height = (_whole(storage, name, path) for name in ("image_width", "image_height"))
    finally:
        storage.release()
    fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    intrinsics = Intrinsics(width, height, fx, fy, cx, cy)
    try:
        return SizedCamera(intrinsics, () if distortion is None else tuple(map(float, distortion.ravel())))
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None


def _open(path: Path) -> cv2.FileStorage:
    try:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    except (cv2.error, SystemError):  # OpenCV 5 raises the second where it means the first
        storage = None
    if storage is None or not storage.isOpened():
        raise SourceError(f"{path} is not a file that OpenCV's FileStorage can read; {REMEDY}")
    return storage


def _refuse_fisheye(storage: cv2.FileStorage, path: Path) -> None:
    model, fisheye = storage.getNode("distortion_model"), storage.getNode("fisheye_model")
    named = model.string() if model.isString() else "plumb_bob"
    is_fisheye = fisheye.isInt() and fisheye.real() != 0
    if is_fisheye or named in ("equidistant", "fisheye"):
        raise SourceError(f"{path} is of a fisheye lens, which is not supported; calibrate with the pinhole model")


def _matrix(storage: cv2.FileStorage, name: str, path: Path) -> NDArray[np.float64] | None:
    node = storage.getNode(name)
    if node.empty():
        return None
    try:
        found: Any = node.mat()
    except (cv2.error, SystemError):
        found = None
    if found is None or found.ndim != 2:
        raise SourceError(f"{path}: field {name} is not a matrix; {REMEDY}")
    return np.asarray(found, np.float64)


def _whole(storage: cv2.FileStorage, name: str, path: Path) -> int:
    node = storage.getNode(name)
    if not node.isInt() or node.real() <= 0:
        raise SourceError(f"{path}: field {name} is not a whole number above 0; add the pictures' size in pixels")
    return int(node.real())
