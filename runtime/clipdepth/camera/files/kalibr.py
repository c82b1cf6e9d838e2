"""Kalibr's camchain YAML."""

import re
from collections.abc import Mapping

from clipdepth.camera.files.content import Content
from clipdepth.camera.files.fields import Fields
from clipdepth.camera.files.models import named_lens
from clipdepth.camera.sized import SizedCamera

NAME = "a camchain of Kalibr"
CAMERA = re.compile(r"cam\d+\Z")


def is_kalibr(content: Content) -> bool:
    """Whether it has cam0, cam1 …"""
    return any(_cameras(found) for found in content.documents)


def read_kalibr(content: Content) -> dict[str, SizedCamera]:
    """Read the cameras of a pinhole projection with radtan, equidistant or no distortion."""
    chain = next(found for found in content.documents if _cameras(found))
    fields = Fields(f"{content.path} ({NAME})", chain)
    return {name: _camera(fields.part(name)) for name in _cameras(chain)}


def _cameras(found: Mapping[str, object]) -> list[str]:
    return [name for name, value in found.items() if CAMERA.match(name) and isinstance(value, Mapping)]


def _camera(fields: Fields) -> SizedCamera:
    if (model := fields.text("camera_model")) != "pinhole":
        distortion = fields.text("distortion_model") or "none"
        raise fields.error(
            "camera_model",
            f"is {model or 'missing'}: Kalibr's {model}-{distortion} model is not supported",
            "calibrate with --models pinhole-radtan, or pinhole-equi for a fisheye lens",
        )
    lens = named_lens(fields, ("distortion_model",))
    if lens is None:
        raise fields.error("distortion_model", "is missing")
    bends = fields.text("distortion_model") != "none"
    coefficients = fields.numbers("distortion_coeffs", 4) if bends else ()
    return fields.camera(fields.size("resolution"), fields.numbers("intrinsics", 4), coefficients, lens)
