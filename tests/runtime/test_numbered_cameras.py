"""Cameras on Windows and macOS, simulated: OpenCV's call for them, and the package that numbers them, are faked."""

import sys
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest

from clipdepth.cli import main
from clipdepth.errors import MissingLibraryError, SourceError
from clipdepth.sources import open_source
from clipdepth.sources.found import find_cameras
from clipdepth.sources.live import Reconnect
from clipdepth.sources.mode import CameraMode
from clipdepth.sources.options import SourceOptions
from fake_camera import FakeCamera

SYSTEMS = {"win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION, "linux": cv2.CAP_V4L2, "freebsd14": cv2.CAP_ANY}
SETTINGS = {
    "win32": "; in Settings, Privacy & security, Camera, allow",
    "darwin": "; in System Settings, Privacy & Sec",
}
numbering = pytest.mark.parametrize("system", SETTINGS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_number_is_opened_by_the_systems_own_way_and_in_the_mode(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[object, int]] = []

    def capture(index: object, backend: int) -> FakeCamera:
        opened.append((index, backend))
        return FakeCamera()

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(cv2, "VideoCapture", capture)
    with open_source("1", SourceOptions(mode=CameraMode(1280, 720, 30, "MJPG"))) as source:
        assert source.name == "camera 1 (1280×720 30/s MJPG)"
    assert opened == [(1, SYSTEMS[system])]


@numbering
def test_a_lost_camera_is_sought_by_the_same_way(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    def capture(index: object, backend: int) -> FakeCamera:
        opened.append(backend)
        camera = FakeCamera(opened=len(opened) != 2)
        if len(opened) == 1:
            frames = iter(range(2))
            camera.read = lambda: (next(frames, None) is not None, np.zeros((480, 640, 3), np.uint8))  # type: ignore[method-assign]
        return camera

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(cv2, "VideoCapture", capture)
    with open_source("0", SourceOptions(reconnect=Reconnect(0.01, 0.01, 30))) as source:
        frames = iter(source)
        assert [next(frames).frame.shape for _ in range(3)] == [(480, 640, 3)] * 3
    assert opened == [SYSTEMS[system]] * 3


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_camera_that_is_closed_to_us_names_the_systems_setting(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    for camera in (FakeCamera(opened=False), FakeCamera()):
        monkeypatch.setattr(camera, "read", lambda: (False, None))
        monkeypatch.setattr(cv2, "VideoCapture", lambda *_, camera=camera: camera)
        with pytest.raises(SourceError) as refused:
            open_source("0")
        assert ("Camera, allow" in str(refused.value)) == (system in SETTINGS)
        assert SETTINGS.get(system, "camera 0 can") in str(refused.value)


def enumerating(*names: str) -> ModuleType:
    """The package, on a machine with cameras of those names."""
    module = ModuleType("cv2_enumerate_cameras")

    def enumerate_cameras(backend: int) -> list[SimpleNamespace]:
        assert backend == SYSTEMS[sys.platform]
        return [SimpleNamespace(index=index, name=name) for index, name in enumerate(names)]

    vars(module)["enumerate_cameras"] = enumerate_cameras
    return module


@numbering
def test_cameras_are_listed_by_their_numbers(
    system: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("clipdepth.sources.gstreamer_devices.gstreamer_cameras", list)
    monkeypatch.setattr("clipdepth.sources.realsense.realsense_cameras", list)
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", enumerating("Built-in", "USB\x1b"))
    assert main(["cameras"]) == 0
    assert capsys.readouterr().out == "0  Built-in\n1  USB\\x1b\n"
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", enumerating())
    assert main(["cameras"]) == 0
    assert SETTINGS[system] in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", None)
    with pytest.raises(MissingLibraryError, match="pip install cv2-enumerate-cameras, or try --source 0"):
        list(find_cameras())
