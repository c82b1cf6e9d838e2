"""Cameras on a board's own connector, by short names for pipelines of GStreamer."""

import re
from fractions import Fraction

from clipdepth.errors import MissingLibraryError, UsageError
from clipdepth.sources.gstreamer import open_pipeline
from clipdepth.sources.gstreamer_bindings import load_gstreamer
from clipdepth.sources.live import LiveSource, Reconnect
from clipdepth.sources.mode import CameraMode

_NEEDS = {
    "nvarguscamerasrc": "which NVIDIA's JetPack brings to Jetsons",
    "libcamerasrc": "which 'apt install gstreamer1.0-libcamera' brings to Raspberry Pi OS and Debian",
}


def open_board_camera(spec: str, mode: CameraMode, reconnect: Reconnect | None = None) -> LiveSource:
    """Open 'csi://0', a Jetson's camera by its sensor's number, or 'libcamera://NAME', by its name or the first one.

    A `mode` is required of it. Raises UsageError for another spec, MissingLibraryError on a computer that is no such
    board, SourceError where no picture comes, in this mode or at all.
    """
    pipeline = board_pipeline(spec, mode)
    element = pipeline.partition(" ")[0]
    if not load_gstreamer().ElementFactory.find(element):
        raise MissingLibraryError(f"{spec} needs GStreamer's {element}, {_NEEDS[element]}")
    asked = str(mode)
    return open_pipeline(pipeline, f"{spec} ({asked})" if asked else spec, reconnect)


def board_pipeline(spec: str, mode: CameraMode) -> str:
    """The pipeline that a spec is short for, in the words of gst-launch-1.0; raises UsageError as above."""
    if mode.fourcc:
        raise UsageError(f"--fourcc is for webcams; leave it out for {spec}")
    if csi := re.fullmatch(r"csi://([0-9]{1,3})", spec):
        # Its pictures lie in the GPU's memory, where only NVIDIA's elements reach them.
        caps = f"video/x-raw(memory:NVMM),format=NV12{_caps(mode)}"
        return f"nvarguscamerasrc sensor-id={csi[1]} ! {caps} ! nvvidconv ! video/x-raw,format=BGRx ! appsink"
    if named := re.fullmatch(r"libcamera://([\w./@:+-]*)", spec):
        camera = f' camera-name="{named[1]}"' if named[1] else ""
        return f"libcamerasrc{camera} ! video/x-raw{_caps(mode)} ! appsink"
    raise UsageError(f"'{spec}' is no camera; write csi://0 with the sensor's number, libcamera:// or libcamera://NAME")


def _caps(mode: CameraMode) -> str:
    sides = [f",{name}={value}" for name, value in (("width", mode.width), ("height", mode.height)) if value]
    rate = Fraction(mode.fps).limit_denominator(1001) if mode.fps else None
    return "".join(sides) + (f",framerate={rate.numerator}/{rate.denominator}" if rate else "")
