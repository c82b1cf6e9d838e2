"""An Intel RealSense, or a recording of one, through pyrealsense2: its colour, and its own depth aligned with that."""

import math
import re
import weakref
from functools import partial
from typing import Any

import numpy as np

from clipdepth.errors import MissingExtraError, SourceError, UsageError
from clipdepth.files.foreign import shortened
from clipdepth.sources.capture import Reading
from clipdepth.sources.found import FoundCamera
from clipdepth.sources.live import LiveSource, Reconnect
from clipdepth.sources.mode import CameraMode
from clipdepth.sources.network import READ_TIMEOUT_S

RECORDINGS = (".db3", ".bag")


def open_realsense(spec: str, mode: CameraMode, reconnect: Reconnect | None = None) -> LiveSource:
    """Open 'realsense://', the first one, 'realsense://SERIAL', or 'realsense://PATH' of a recording.

    Frames have the focal length that the camera states, and its own depth as `measured`. A `mode` of colour is required
    of it. Raises UsageError for another spec, SourceError where there is no such camera or mode, MissingExtraError
    without pyrealsense2.
    """
    if mode.fourcc:
        raise UsageError(f"--fourcc is for webcams; leave it out for {spec}")
    connect = partial(RealsenseCapture, spec, mode)
    capture = connect()
    return LiveSource(f"{spec} ({capture.mode})", capture, connect, reconnect)


def realsense_cameras() -> list[FoundCamera]:
    """Those that are plugged in; none without pyrealsense2."""
    try:
        devices = _library().context().query_devices()
    except MissingExtraError:
        return []
    return [_found(device) for device in devices]


class RealsenseCapture:
    """A streaming RealSense as a live source reads it."""

    def __init__(self, spec: str, mode: CameraMode) -> None:
        rs = _library()
        config = _config(rs, spec, mode)
        pipeline = rs.pipeline()
        try:
            profile = pipeline.start(config)
        except RuntimeError as error:
            reason = shortened(" ".join(str(error).split()))
            raise SourceError(
                f"{spec} cannot be opened ({reason}); 'clipdepth cameras' lists what is here, with modes"
            ) from None
        weakref.finalize(self, pipeline.stop)
        has_depth = any(each.stream_type() == rs.stream.depth for each in profile.get_streams())
        self._align = rs.align(rs.stream.color) if has_depth else None
        stream = profile.get_stream(rs.stream.color).as_video_stream_profile()
        lens = stream.get_intrinsics()
        self._pipeline = pipeline
        self._focal_px = math.sqrt(lens.fx * lens.fy)
        self.mode = CameraMode(lens.width, lens.height, stream.fps())
        self.fps = self.mode.fps

    def read(self) -> Reading | None:
        """See `Capture.read`."""
        came, frames = self._pipeline.try_wait_for_frames(int(READ_TIMEOUT_S * 1000))
        if not came:
            return None
        measured = None
        if self._align and frames.get_depth_frame():
            frames = self._align.process(frames)
            depth = frames.get_depth_frame()
            measured = np.asarray(np.asanyarray(depth.get_data()) * np.float32(depth.get_units()), np.float32)
        colour = frames.get_color_frame()
        picture = np.array(np.asanyarray(colour.get_data()), np.uint8)
        return Reading(picture, colour.get_timestamp() / 1000, self._focal_px, measured)


def _library() -> Any:
    try:
        import pyrealsense2
    except ModuleNotFoundError:
        raise MissingExtraError("realsense://", "pyrealsense2", "realsense") from None
    return pyrealsense2


def _config(rs: Any, spec: str, mode: CameraMode) -> Any:
    config, which = rs.config(), spec.removeprefix("realsense://")
    if which.endswith(RECORDINGS):
        # A recording has the mode that it was made in.
        config.enable_device_from_file(which, repeat_playback=False)
    elif re.fullmatch(r"[0-9]*", which):
        _check_present(rs, spec, which)
        if which:
            config.enable_device(which)
        asked = mode.width or 0, mode.height or 0, rs.format.bgr8, round(mode.fps or 0)
        config.enable_stream(rs.stream.color, -1, *asked)
        config.enable_stream(rs.stream.depth)
    else:
        raise UsageError(f"'{spec}' is no RealSense; write realsense://, or its serial number or a recording after it")
    return config


def _check_present(rs: Any, spec: str, serial: str) -> None:
    """Where no camera is there, librealsense would wait for one for 15 s."""
    serials = [device.get_info(rs.camera_info.serial_number) for device in rs.context().query_devices()]
    if serial not in serials if serial else not serials:
        raise SourceError(
            f"{spec} is not here; plug it in, or check that it is yours to use ('clipdepth cameras' lists what is here)"
        )


def _found(device: Any) -> FoundCamera:
    import pyrealsense2 as rs

    serial, name = (device.get_info(kind) for kind in (rs.camera_info.serial_number, rs.camera_info.name))
    profiles = [profile for sensor in device.query_sensors() for profile in sensor.get_stream_profiles()]
    colour = [each.as_video_stream_profile() for each in profiles if each.stream_type() == rs.stream.color]
    modes = (CameraMode(each.width(), each.height(), each.fps()) for each in colour)
    return FoundCamera(f"realsense://{serial}", name, tuple(dict.fromkeys(modes)))
