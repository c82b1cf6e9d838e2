"""The options by which a command is told of the camera."""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

from clipdepth.camera.camera import Camera
from clipdepth.cli.arguments import float_or_nan


@dataclass(frozen=True)
class FocalLength:
    """A focal length in pixels of each picture as it comes, or of pictures whose longer side is `side`."""

    pixels: float
    side: int | None = None


def told_camera(focal_px: FocalLength | None, fov: float | None, calibration: Path | None) -> Camera:
    """The camera of those options; raises as `Camera`."""
    if focal_px is None:
        return Camera(fov=fov, calibration=calibration)
    return Camera(focal_px.pixels, fov, calibration, focal_px.side)


def add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --focal-px, --fov and --calibration: the fields of `Camera`, of which one may be given."""
    add = parser.add_mutually_exclusive_group().add_argument
    add(
        "--focal-px",
        type=_focal,
        metavar="F[@SIDE]",
        help="the camera's focal length in pixels: of each picture as it comes, or of those whose longer side has SIDE "
        "pixels, such as 585@640",
    )
    add("--fov", type=_degrees, metavar="DEGREES", help="what the camera sees across its width, in degrees")
    add(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="x.yml, x.yaml or x.xml as OpenCV's camera calibration writes it, which undistorts too, or x.json of "
        "'clipdepth calibrate' (default: what a picture's own file states, or the training camera's focal length)",
    )


def _focal(text: str) -> FocalLength:
    pixels, at, side = text.partition("@")
    value = float_or_nan(pixels)
    if not 0 < value < math.inf or (at and not (side.isdecimal() and int(side) > 0)):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a focal length in pixels, a number above 0, such as 585, or 585@640 for pictures whose "
            "longer side has 640 pixels"
        )
    return FocalLength(value, int(side) if at else None)


def _degrees(text: str) -> float:
    value = float_or_nan(text)
    if not 0 < value < 180:
        raise argparse.ArgumentTypeError(f"'{text}' is not a field of view in degrees, between 0 and 180")
    return value
