"""The options by which a command is told of the camera."""

import argparse
import math
from pathlib import Path

from clipdepth.cli.arguments import float_or_nan


def add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --focal-px, --fov and --calibration: the fields of `Camera`, of which one may be given."""
    add = parser.add_mutually_exclusive_group().add_argument
    add("--focal-px", type=_focal, metavar="F", help="the camera's focal length in pixels of its pictures")
    add("--fov", type=_degrees, metavar="DEGREES", help="what the camera sees across its width, in degrees")
    add(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="x.yml, x.yaml or x.xml as OpenCV's camera calibration writes it, which undistorts too, or x.json of "
        "'clipdepth calibrate' (default: the camera that the network was trained with)",
    )


def _focal(text: str) -> float:
    value = float_or_nan(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a focal length in pixels, a number above 0")
    return value


def _degrees(text: str) -> float:
    value = float_or_nan(text)
    if not 0 < value < 180:
        raise argparse.ArgumentTypeError(f"'{text}' is not a field of view in degrees, between 0 and 180")
    return value
