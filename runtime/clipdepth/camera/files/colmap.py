"""COLMAP's cameras.txt; its models are in src/colmap/sensor/models.h."""

import re

from clipdepth.camera.files.content import Content
from clipdepth.camera.files.fields import Fields
from clipdepth.camera.lens import LensName
from clipdepth.camera.sized import SizedCamera

NAME = "a cameras.txt of COLMAP"
LINE = re.compile(r"^[ \t]*\d+[ \t,]+[A-Z][A-Z_]+[ \t,]+\d+[ \t,]+\d+[ \t,]", re.MULTILINE)
HALF = 0.5
"""COLMAP has the centre of the top-left pixel there, and we have it at 0."""
# Of each model the lens, how many focal lengths come first, and how many of OpenCV's coefficients end it.
MODELS: dict[str, tuple[LensName, int, int]] = {
    "SIMPLE_PINHOLE": ("pinhole", 1, 0),
    "PINHOLE": ("pinhole", 2, 0),
    "SIMPLE_RADIAL": ("pinhole", 1, 1),
    "RADIAL": ("pinhole", 1, 2),
    "OPENCV": ("pinhole", 2, 4),
    "FULL_OPENCV": ("pinhole", 2, 8),
    "SIMPLE_RADIAL_FISHEYE": ("fisheye", 1, 1),
    "RADIAL_FISHEYE": ("fisheye", 1, 2),
    "OPENCV_FISHEYE": ("fisheye", 2, 4),
}


def is_colmap(content: Content) -> bool:
    """Whether it has lines of an id, a model and a size."""
    return "CAMERA_ID, MODEL" in content.text or LINE.search(content.text) is not None


def read_colmap(content: Content) -> dict[str, SizedCamera]:
    """Read all cameras, by their ids."""
    where = f"{content.path} ({NAME})"
    cameras = {}
    for number, line in enumerate(content.text.splitlines(), 1):
        words = line.replace(",", " ").split()
        if words and not words[0].startswith("#"):
            names = ("CAMERA_ID", "MODEL", "WIDTH", "HEIGHT")
            values = {**dict(zip(names, words, strict=False)), "PARAMS": words[4:]}
            cameras[words[0]] = _camera(Fields(f"{where}, line {number}", values))
    if not cameras:
        raise Fields(where, {}).error("CAMERA_ID", "is missing: it lists no camera")
    return cameras


def _camera(fields: Fields) -> SizedCamera:
    model = fields.text("MODEL")
    if model not in MODELS:
        raise fields.error(
            "MODEL",
            f"is {model or 'missing'}, a model that is not supported",
            f"run COLMAP with one of {', '.join(MODELS)}",
        )
    lens, focals, bends = MODELS[model]
    size = fields.whole("WIDTH"), fields.whole("HEIGHT")
    numbers = fields.numbers("PARAMS", focals + 2 + bends)
    cx, cy = numbers[focals : focals + 2]
    coefficients = list(numbers[focals + 2 :]) + [0.0] * max(4 - bends, 0)
    pinhole = (numbers[0], numbers[focals - 1], cx - HALF, cy - HALF)
    return fields.camera(size, pinhole, coefficients if bends else (), lens)
