"""Files of cv2.FileStorage: OpenCV's calibration samples and applications, and whoever writes as they do."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from clipdepth.camera.files.content import Content
from clipdepth.camera.files.fields import Fields
from clipdepth.camera.files.models import MARK, named_lens, refuse_unmarked
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import SourceError

NAME = "a file of OpenCV's FileStorage"
REMEDY = "write it with OpenCV's camera calibration"
# Names in the samples, in the application opencv_interactive-calibration, and in opencv_contrib.
MATRIX = ("camera_matrix", "cameraMatrix", "K")
DISTORTION = ("distortion_coefficients", "dist_coeffs", "distortionMatrix", "distCoeffs", "D")
MODEL = ("distortion_model", "camera_model", "calibrationModel")
SIZE = "cameraResolution"
FIELDS = (*MATRIX, *DISTORTION, *MODEL, SIZE, "image_width", "image_height", MARK)


def is_opencv(content: Content) -> bool:
    """Whether FileStorage wrote it."""
    return "opencv-matrix" in content.text or "<opencv_storage" in content.text


def read_opencv(content: Content) -> dict[str, SizedCamera]:
    """Read a camera matrix, distortion (optional) and the pictures' size."""
    fields = Fields(f"{content.path} ({NAME})", _values(content), remedy=REMEDY)
    matrix_name = _present(fields, MATRIX)
    matrix = fields.values.get(matrix_name)
    if not isinstance(matrix, np.ndarray) or matrix.shape != (3, 3):
        raise fields.error(matrix_name, "is missing" if matrix is None else "is not a 3×3 matrix")
    size = _size(fields)
    pinhole = [float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2))]
    distortion_name = _present(fields, DISTORTION)
    coefficients = _coefficients(fields, distortion_name)
    lens = named_lens(fields, MODEL)
    if lens is None:
        refuse_unmarked(fields, distortion_name, coefficients)
    return {"": fields.camera(size, pinhole, coefficients, lens or "pinhole")}


def _present(fields: Fields, names: tuple[str, ...]) -> str:
    """Which of the names the file has; the first one where it has none."""
    return next((name for name in names if name in fields.values), names[0])


def _size(fields: Fields) -> tuple[int, int]:
    if SIZE in fields.values:
        return fields.size(SIZE)
    fields = replace(fields, remedy="add the pictures' size in pixels, image_width and image_height")
    return fields.whole("image_width"), fields.whole("image_height")


def _coefficients(fields: Fields, name: str) -> tuple[float, ...]:
    found = fields.values.get(name)
    if found is None:
        return ()
    if not isinstance(found, np.ndarray):
        raise fields.error(name, "is not a matrix")
    return tuple(map(float, found.ravel()))


def _values(content: Content) -> dict[str, Any]:
    """The fields that are known, as NumPy's arrays, numbers, lists and text."""
    try:
        storage = cv2.FileStorage(str(content.path), cv2.FILE_STORAGE_READ)
    except (cv2.error, SystemError):  # OpenCV 5 raises the second where it means the first
        storage = None
    if storage is None or not storage.isOpened():
        raise SourceError(f"{content.path} is not a file that OpenCV's FileStorage can read; {REMEDY}")
    try:
        nodes = {name: storage.getNode(name) for name in FIELDS}
        return {name: _value(node) for name, node in nodes.items() if not node.empty()}
    finally:
        storage.release()


def _value(node: cv2.FileNode) -> Any:
    if node.isString():
        return node.string()
    if node.isInt() or node.isReal():
        return node.real()
    if node.isSeq():
        return [_value(node.at(index)) for index in range(node.size())]
    try:
        found: Any = node.mat()
    except (cv2.error, SystemError):
        found = None
    return "no matrix" if found is None else np.asarray(found, np.float64)
