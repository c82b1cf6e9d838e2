"""The cameras that GStreamer's device monitor knows, such as libcamera's on a Raspberry Pi."""

from collections.abc import Iterator
from typing import Any

from clipdepth.errors import MissingLibraryError
from clipdepth.sources.found import FoundCamera
from clipdepth.sources.gstreamer_bindings import load_gstreamer
from clipdepth.sources.mode import CameraMode

_V4L2 = "v4l2src"


def gstreamer_cameras() -> list[FoundCamera]:
    """Those that are no V4L2 devices; none where GStreamer is not installed."""
    try:
        gst = load_gstreamer()
    except MissingLibraryError:
        return []
    monitor = gst.DeviceMonitor()
    monitor.add_filter("Video/Source", None)
    monitor.start()
    try:
        cameras = [_camera(device) for device in monitor.get_devices() or []]
    finally:
        monitor.stop()
    return [camera for camera in cameras if camera is not None]


def _camera(device: Any) -> FoundCamera | None:
    element = device.create_element(None)
    factory = element.get_factory().get_name() if element else _V4L2
    if factory == _V4L2:
        return None
    if factory == "libcamerasrc":
        source = f"libcamera://{element.get_property('camera-name')}"
    else:
        source = f"gst: {factory} ! appsink"
    caps = device.get_caps()
    structures = [caps.get_structure(number) for number in range(caps.get_size())] if caps else []
    return FoundCamera(source, device.get_display_name(), tuple(dict.fromkeys(_modes(structures))))


def _modes(structures: list[Any]) -> Iterator[CameraMode]:
    for structure in structures:
        (has_width, width), (has_height, height) = (structure.get_int(side) for side in ("width", "height"))
        known, count, seconds = structure.get_fraction("framerate")
        if has_width and has_height:
            yield CameraMode(width, height, count / seconds if known and count and seconds else None)
