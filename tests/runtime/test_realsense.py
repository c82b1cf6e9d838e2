"""A RealSense through pyrealsense2: a recording that its own library makes of a device in software; no camera."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clipdepth.errors import MissingExtraError, SourceError, UsageError
from clipdepth.sources import SourceOptions, has_modes, open_source
from clipdepth.sources.live import Reconnect
from clipdepth.sources.mode import CameraMode
from clipdepth.sources.realsense import open_realsense, realsense_cameras

FRAMES = 12


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flat pictures of 64×48, each 10 brighter than the one before, 30 a second, of a camera that is known."""
    rs = pytest.importorskip("pyrealsense2", reason="needs pyrealsense2, of the group dev")
    path = tmp_path_factory.mktemp("recording") / "x.db3"
    device = rs.software_device()
    device.register_info(rs.camera_info.name, "Bench")
    device.register_info(rs.camera_info.serial_number, "123")
    sensor, stream, lens = device.add_sensor("RGB Camera"), rs.video_stream(), rs.intrinsics()
    stream.type, stream.fmt = rs.stream.color, rs.format.bgr8
    stream.width, stream.height, stream.fps, stream.bpp, stream.uid = 64, 48, 30, 3, 1
    lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy = 64, 48, 50.0, 56.0, 29.0, 26.5
    lens.model, lens.coeffs = rs.distortion.none, [0.0] * 5
    stream.intrinsics = lens
    profile = sensor.add_video_stream(stream).as_video_stream_profile()
    recorder = rs.recorder(str(path), device)
    recorded = recorder.query_sensors()[0]
    recorded.open(recorded.get_stream_profiles()[0])
    recorded.start(rs.frame_queue(FRAMES))
    for number in range(FRAMES):
        frame = rs.software_video_frame()
        frame.stride, frame.bpp, frame.frame_number, frame.profile = 64 * 3, 3, number, profile
        frame.timestamp, frame.domain = 1000 + number * 100 / 3, rs.timestamp_domain.system_time
        frame.pixels = np.full((48, 64, 3), 10 * number, np.uint8)
        sensor.on_video_frame(frame)
        time.sleep(0.02)
    recorded.stop()
    recorded.close()
    del recorded, recorder
    return path


def test_a_recording_gives_pictures_times_and_the_focal_length(recording: Path) -> None:
    with open_realsense(f"realsense://{recording}", CameraMode(), Reconnect(give_up_s=0)) as source:
        assert source.name == f"realsense://{recording} (64×48 30/s)"
        assert source.fps == 30
        captured = []
        for one in source:
            captured.append(one)
            if len(captured) == FRAMES // 2:
                break
    levels = [int(one.frame[0, 0, 0]) for one in captured]
    assert {one.frame.shape for one in captured} == {(48, 64, 3)}
    for one, level in zip(captured, levels, strict=True):
        assert one.time == pytest.approx((level - levels[0]) / 10 / 30, abs=0.01)
        assert one.focal_px == pytest.approx((50 * 56) ** 0.5)


def test_no_camera_is_an_error_in_a_line() -> None:
    pytest.importorskip("pyrealsense2", reason="needs pyrealsense2, of the group dev")
    assert realsense_cameras() == []
    for spec in ("realsense://", "realsense://123", "realsense://nothing.db3"):
        with pytest.raises(SourceError, match=r"(is not here|cannot be opened).*'clipdepth cameras' lists") as error:
            open_source(spec)
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="is no RealSense"):
        open_source("realsense://x")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    with pytest.raises(MissingExtraError, match=r"realsense:// needs pyrealsense2.*clipdepth\[realsense\]"):
        open_source("realsense://")
    assert realsense_cameras() == []
    assert has_modes("realsense://")
    with pytest.raises(UsageError, match="--fourcc is for webcams"):
        open_source("realsense://", SourceOptions(CameraMode(fourcc="MJPG")))
