"""The options by which a command is told of the camera."""

import argparse
import math
from dataclasses import dataclass, replace
from pathlib import Path

from clipdepth.camera.camera import Camera
from clipdepth.camera.turn import ANGLES
from clipdepth.cli.arguments import float_or_nan, positive_int


@dataclass(frozen=True)
class FocalLength:
    """A focal length in pixels of each picture as it comes, or of pictures whose longer side is `side`."""

    pixels: float | None
    side: int | None = None


@dataclass(frozen=True)
class CameraOptions:
    """What a command was told of the camera; `add_camera_arguments` says what each is."""

    focal_px: FocalLength | None
    fov: float | None
    calibration: Path | None
    undistorted_fov: float | None
    camera_id: str | None

    @property
    def camera(self) -> Camera:
        """The camera; raises as `Camera`."""
        focal = self.focal_px or FocalLength(None)
        return Camera(focal.pixels, self.fov, self.calibration, self.undistorted_fov, self.camera_id, focal.side)


@dataclass(frozen=True)
class TurnedCameraOptions(CameraOptions):
    """The same, and how the camera hangs; `add_turn_arguments` says what each is."""

    rotate: int | None
    mirror: bool

    @property
    def camera(self) -> Camera:
        """The camera; raises as `Camera`."""
        return replace(super().camera, rotate=self.rotate, mirror=self.mirror)


def add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the fields of `Camera`: one of --focal-px, --fov and --calibration may be given."""
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
        help="a calibration of OpenCV, ROS, Kalibr, COLMAP or RealSense, which undistorts too, or x.json of "
        "'clipdepth calibrate' (default: what a picture's own file states, or the training camera's focal length)",
    )
    add = parser.add_argument
    add(
        "--undistorted-fov",
        type=_degrees,
        metavar="DEGREES",
        help="with --calibration, what the undistorted picture sees across its width (default: as much as the camera "
        "saw, of a fisheye lens as much as keeps the middle sharp)",
    )
    add(
        "--camera-id",
        metavar="NAME",
        help="which camera of a --calibration with several, such as cam1 (default: the one of the pictures' size)",
    )


def add_turn_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --rotate and --mirror."""
    add = parser.add_argument
    add(
        "--rotate",
        type=int,
        choices=ANGLES,
        metavar="DEGREES",
        help="turn pictures clockwise by 90, 180 or 270 degrees; what is told of the camera is of pictures before that",
    )
    add("--mirror", action="store_true", help="let left and right of pictures change places, after --rotate")


def add_mode_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --width, --height, --fps and --fourcc: the fields of `CameraMode`."""
    add = parser.add_argument
    add("--width", type=positive_int, metavar="W", help="ask cameras for pictures of this width")
    add("--height", type=positive_int, metavar="H", help="ask cameras for pictures of this height")
    add("--fps", type=positive_int, metavar="N", help="ask cameras for N frames a second")
    add("--fourcc", metavar="CODE", help="ask cameras for this pixel format, such as MJPG or YUYV")


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
