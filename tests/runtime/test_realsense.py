"""A RealSense through pyrealsense2: a recording that its own library makes of a device in software; no camera."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth.errors import MissingExtraError, SourceError, UsageError
from clipdepth.sources import SourceOptions, has_modes, open_source
from clipdepth.sources.live import Reconnect
from clipdepth.sources.mode import CameraMode
from clipdepth.sources.realsense import open_realsense, realsense_cameras

FRAMES = 12
UNITS = 0.0005
"""Metres, of a depth sensor's pixels."""
TO_COLOUR = 0.04
"""Metres that the colour camera lies to the left of the depth sensor."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flat pictures of 64×48, each 10 brighter than the one before, 30 a second, of a camera that is known."""
    return write_recording(tmp_path_factory.mktemp("recording") / "x.db3")


def write_recording(path: Path, depth: NDArray[np.uint16] | None = None) -> Path:
    """The recording, with `depth`, (48, 64) units of 0.5 mm, seen by a sensor a little to the left, with each."""
    rs = pytest.importorskip("pyrealsense2", reason="needs pyrealsense2, of the group dev")
    device, lens = rs.software_device(), rs.intrinsics()
    device.register_info(rs.camera_info.name, "Bench")
    device.register_info(rs.camera_info.serial_number, "123")
    lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy = 64, 48, 50.0, 56.0, 29.0, 26.5
    lens.model, lens.coeffs = rs.distortion.none, [0.0] * 5

    def add(name: str, kind: Any, form: Any, size: int) -> tuple[Any, Any, int]:
        sensor, stream = device.add_sensor(name), rs.video_stream()
        stream.type, stream.fmt, stream.intrinsics = kind, form, lens
        stream.width, stream.height, stream.fps, stream.bpp, stream.uid = 64, 48, 30, size, size
        return sensor, sensor.add_video_stream(stream).as_video_stream_profile(), size

    colour = add("RGB Camera", rs.stream.color, rs.format.bgr8, 3)
    sensors = [colour]
    if depth is not None:
        stereo = add("Stereo Module", rs.stream.depth, rs.format.z16, 2)
        stereo[0].add_read_only_option(rs.option.depth_units, UNITS)
        between = rs.extrinsics()
        between.rotation, between.translation = np.eye(3).ravel().tolist(), [TO_COLOUR, 0.0, 0.0]
        stereo[1].register_extrinsics_to(colour[1], between)
        sensors = [stereo, colour]
    recorder = rs.recorder(str(path), device)
    recorded = recorder.query_sensors()
    for sensor in recorded:
        sensor.open(sensor.get_stream_profiles()[0])
        sensor.start(rs.frame_queue(FRAMES))
    for number in range(FRAMES):
        for sensor, profile, size in sensors:
            frame = rs.software_video_frame()
            frame.stride, frame.bpp, frame.frame_number, frame.profile = 64 * size, size, number, profile
            frame.timestamp, frame.domain = 1000 + number * 100 / 3, rs.timestamp_domain.system_time
            frame.depth_units = UNITS
            frame.pixels = depth if size == 2 else np.full((48, 64, 3), 10 * number, np.uint8)
            sensor.on_video_frame(frame)
        time.sleep(0.02)
    for sensor in recorded:
        sensor.stop()
        sensor.close()
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
    assert [one.measured for one in captured] == [None] * len(captured)
    for one, level in zip(captured, levels, strict=True):
        assert one.time == pytest.approx((level - levels[0]) / 10 / 30, abs=0.01)
        assert one.focal_px == pytest.approx((50 * 56) ** 0.5)


def test_its_own_depth_is_in_metres_and_lies_where_the_colour_camera_sees_it(tmp_path: Path) -> None:
    """Two walls, at 1 and 2 m, which the colour camera sees 50 px x 0.04 m / z to the right."""
    depth = np.full((48, 64), 4000, np.uint16)
    depth[:, :20] = 2000
    depth[:5] = 0
    path = write_recording(tmp_path / "x.db3", depth)
    with open_realsense(f"realsense://{path}", CameraMode(), Reconnect(give_up_s=0)) as source:
        one = next(iter(source))
    assert one.measured is not None
    assert (one.measured.shape, one.measured.dtype) == (one.frame.shape[:2], np.float32)
    row = one.measured[30]
    assert set(row[:2]) == {0}
    np.testing.assert_allclose(row[[2, 10, 20]], 1.0, rtol=1e-6)
    np.testing.assert_allclose(row[23:63], 2.0, rtol=1e-6)
    assert not one.measured[:4].any()


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
