"""ROS's cameras: camera_info YAML files, and messages of a camera_info topic as 'topic echo' prints them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from clipdepth.camera.files.content import Content
from clipdepth.camera.files.fields import Fields
from clipdepth.camera.files.models import named_lens, refuse_unmarked
from clipdepth.camera.lens import LensName
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import SourceError

FILE = "a camera_info file of ROS"
TOPIC = "a camera_info message of ROS"
UNCALIBRATED = ("is 0: the camera is not calibrated", "calibrate it with ROS's camera_calibration")


def is_ros_file(content: Content) -> bool:
    """Whether camera_calibration or camera_info_manager wrote it."""
    return any("camera_matrix" in found or "image_width" in found for found in content.documents)


def is_ros_topic(content: Content) -> bool:
    """Whether it is of `ros2 topic echo` or `rostopic echo`, whose names are in capitals."""
    return any(
        ("k" in found or "K" in found) and ("distortion_model" in found or "binning_x" in found)
        for found in content.documents
    )


def read_ros_file(content: Content) -> dict[str, SizedCamera]:
    """Read image_width, image_height, camera_matrix and distortion_coefficients.

    `rows` and `cols` are not read: camera_calibration writes 5 columns whatever there are.
    """
    found = next(found for found in content.documents if "camera_matrix" in found or "image_width" in found)
    fields = Fields(f"{content.path} ({FILE})", found)
    size = fields.whole("image_width"), fields.whole("image_height")
    matrix = fields.part("camera_matrix").numbers("data", 9)
    coefficients: tuple[float, ...] = ()
    if found.get("distortion_coefficients") is not None:
        coefficients = fields.part("distortion_coefficients").numbers("data")
    lens = named_lens(fields, ("distortion_model", "camera_model"))
    if lens is None:
        refuse_unmarked(fields, "distortion_coefficients", coefficients)
    return {fields.text("camera_name"): _camera(fields, "camera_matrix", size, matrix, coefficients, lens)}


def read_ros_topic(content: Content) -> dict[str, SizedCamera]:
    """Read the messages, which must be of one camera."""
    cameras = {_of_message(Fields(f"{content.path} ({TOPIC})", found)) for found in content.documents if found}
    if len(cameras) > 1:
        raise SourceError(
            f"{content.path} ({TOPIC}): its messages are of different cameras; keep the one that films "
            "('ros2 topic echo --once')"
        )
    return {"": cameras.pop()}


def camera_of_info(info: Any, where: str, is_rectified: bool = False) -> SizedCamera | None:
    """The camera of a CameraInfo message of ROS 1 or 2, an object with its fields; None where it is not calibrated.

    With `is_rectified` its pictures are already straight: P is their pinhole, and no distortion is left. `where` is for
    errors. Raises SourceError for a model of lenses that is not supported, and for values that cannot be.
    """
    # Arrays as they come from a message are no sequences of Python's.
    numbers = {name: np.asarray(_field(info, name), float).tolist() for name in "kdp"}
    if not numbers["k"][0]:
        return None
    if is_rectified:
        numbers |= {"k": [value for at, value in enumerate(numbers["p"]) if at % 4 < 3], "d": []}
    named = ("width", "height", "binning_x", "binning_y", "distortion_model")
    roi = {name: getattr(info.roi, name) for name in ("width", "height", "x_offset", "y_offset")}
    camera = _of_message(Fields(where, {**numbers, **{name: getattr(info, name) for name in named}, "roi": roi}))
    return replace(camera, intrinsics=replace(camera.intrinsics, origin="metadata"))


def _field(info: Any, name: str) -> Any:
    """A field whose name is in capitals in ROS 1."""
    return getattr(info, name) if hasattr(info, name) else getattr(info, name.upper())


def _of_message(fields: Fields) -> SizedCamera:
    matrix, distortion = ("k", "d") if "k" in fields.values else ("K", "D")
    size = fields.whole("width"), fields.whole("height")
    coefficients = fields.numbers(distortion) if fields.values.get(distortion) is not None else ()
    lens = named_lens(fields, ("distortion_model",))
    if lens is None:
        refuse_unmarked(fields, distortion, coefficients)
    return _read_out(_camera(fields, matrix, size, fields.numbers(matrix, 9), coefficients, lens), fields)


def _camera(
    fields: Fields,
    matrix_name: str,
    size: tuple[int, int],
    matrix: tuple[float, ...],
    coefficients: tuple[float, ...],
    lens: LensName | None,
) -> SizedCamera:
    fx, _, cx, _, fy, cy = matrix[:6]
    if fx == 0:
        raise fields.error(matrix_name, *UNCALIBRATED)
    return fields.camera(size, (fx, fy, cx, cy), coefficients, lens or "pinhole")


def _read_out(camera: SizedCamera, fields: Fields) -> SizedCamera:
    """The camera of the pictures that come: of a region of the sensor, and with pixels joined, see CameraInfo.msg."""
    pinhole = camera.intrinsics
    if isinstance(fields.values.get("roi"), Mapping):
        roi = fields.part("roi")
        if roi.number("width") and roi.number("height"):
            size, x, y = (roi.whole("width"), roi.whole("height")), roi.number("x_offset"), roi.number("y_offset")
            pinhole = Intrinsics(*size, pinhole.fx, pinhole.fy, pinhole.cx - x, pinhole.cy - y)
    across, down = (fields.number(name) if name in fields.values else 0 for name in ("binning_x", "binning_y"))
    pinhole = pinhole.resized(pinhole.width // int(across or 1), pinhole.height // int(down or 1))
    size = pinhole.width, pinhole.height
    return fields.camera(size, (pinhole.fx, pinhole.fy, pinhole.cx, pinhole.cy), camera.distortion, camera.lens_name)
