"""Short names of boards' cameras. No board is here: their pipelines are read, and parsed where elements stand in."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from clipdepth.errors import ClipdepthError, MissingLibraryError, SourceError, UsageError
from clipdepth.sources import has_modes, open_source
from clipdepth.sources.boards import board_pipeline
from clipdepth.sources.gstreamer import open_pipeline
from clipdepth.sources.mode import CameraMode
from system_gstreamer import require_gstreamer

pytestmark = pytest.mark.filterwarnings("ignore::ImportWarning")
HD = CameraMode(1280, 720, 29.97)


@pytest.fixture
def gstreamer() -> None:
    """What a test needs."""
    require_gstreamer()


def test_short_names_become_pipelines() -> None:
    assert board_pipeline("csi://1", HD) == (
        "nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),format=NV12,width=1280,height=720,framerate=2997/100 "
        "! nvvidconv ! video/x-raw,format=BGRx ! appsink"
    )
    assert board_pipeline("libcamera://", CameraMode()) == "libcamerasrc ! video/x-raw ! appsink"
    assert board_pipeline("libcamera:///base/soc/i2c0mux/i2c@1/imx219@10", CameraMode(width=640)) == (
        'libcamerasrc camera-name="/base/soc/i2c0mux/i2c@1/imx219@10" ! video/x-raw,width=640 ! appsink'
    )


@pytest.mark.parametrize("spec", ["csi://", "csi://x", "csi://0 ! filesink location=x", 'libcamera://a" ! x', "csi:0"])
def test_another_name_is_misuse(spec: str) -> None:
    with pytest.raises(UsageError, match="is no camera; write csi://0"):
        board_pipeline(spec, CameraMode())
    with pytest.raises(UsageError, match="--fourcc is for webcams"):
        board_pipeline("csi://0", CameraMode(fourcc="MJPG"))


@pytest.mark.usefixtures("gstreamer")
def test_a_computer_that_is_no_such_board_says_so() -> None:
    with pytest.raises(MissingLibraryError, match=r"csi://0 needs GStreamer's nvarguscamerasrc.*Jetson"):
        open_source("csi://0")
    # Without libcamera its element is missing, and with it a camera.
    with pytest.raises(ClipdepthError, match=r"apt install gstreamer1\.0-libcamera|supported camera"):
        open_source("libcamera://")


@pytest.mark.usefixtures("gstreamer")
@pytest.mark.parametrize("spec", ["csi://0", "libcamera://"])
def test_a_pipeline_gives_the_mode_that_was_asked_for(spec: str) -> None:
    """With test pictures in the place of the camera, and of NVIDIA's memory and its converter."""
    pipeline = board_pipeline(spec, CameraMode(320, 180, 12.5))
    for element, stand_in in (
        ("nvarguscamerasrc sensor-id=0", "videotestsrc is-live=true pattern=blue"),
        ("libcamerasrc", "videotestsrc is-live=true pattern=blue"),
        ("(memory:NVMM)", ""),
        ("nvvidconv", "videoconvert"),
    ):
        pipeline = pipeline.replace(element, stand_in)
    with open_pipeline(pipeline) as source:
        assert source.fps == 12.5
        captured = next(iter(source))
    assert captured.frame.shape == (180, 320, 3)
    blue, green, red = captured.frame.mean((0, 1))
    assert blue > 230
    assert max(green, red) < 20


@pytest.mark.usefixtures("gstreamer")
def test_a_mode_that_is_not_offered_is_told(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(SourceError, match="does not offer this size, rate or format"):
        open_pipeline(f"filesrc location={tmp_path}/a.png ! pngdec ! video/x-raw,width=640 ! appsink")


def test_modes_are_asked_of_webcams_and_boards_alone() -> None:
    assert all(has_modes(spec) for spec in ("0", "/dev/video0", "csi://0", "libcamera://"))
    assert not any(has_modes(spec) for spec in ("rtsp://x", "gst: v4l2src", "x.mp4"))


def test_an_unknown_scheme_names_those_of_boards() -> None:
    with pytest.raises(
        UsageError, match=r"begin with one of rtsp, .*csi://0, libcamera://, realsense:// or 'gst: PIPELINE'"
    ):
        open_source("foo://x")
