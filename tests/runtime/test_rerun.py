"""Recordings, read back by Rerun itself."""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import MissingExtraError, OutputError
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.sinks import open_sink
from clipdepth.sources import Captured
from clipdepth.sources.frames import FramesSource
from depth_frames import with_depth
from live_servers import wait_until
from rerun_files import read
from slow_stages import SIZE, Kept, SlowEngine

CAMERA = Intrinsics(64, 48, 50.0, 55.0, 30.5, 20.0)


def scene(index: int) -> tuple[Captured, np.ndarray]:
    frame = np.full((48, 64, 3), (40, 90, 40 * index), np.uint8)
    depth = np.linspace(1 + index, 4, 48 * 64, dtype=np.float32).reshape(48, 64)
    depth[0, 0] = np.nan
    return Captured(frame, index / 4, 2 * index), depth


def test_a_recording_holds_camera_picture_and_depth_over_time(tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    path = tmp_path / "new" / "x.rrd"
    with open_sink(path, 0.3, 6.0) as sink:
        for index in range(3):
            sink.write(with_depth(*scene(index), CAMERA))
    assert [file.name for file in path.parent.iterdir()] == ["x.rrd"]
    found = read(path)

    right, down, forward = 3, 2, 5  # Rerun's numbers of the axes x, y and z.
    assert found["/"]["ViewCoordinates:xyz"] == [[[right, down, forward]]]
    depth = found["/camera/depth"]
    assert depth["frame"] == [0, 2, 4]
    assert [time.total_seconds() for time in depth["capture"]] == [0, 0.25, 0.5]
    assert depth["DepthImage:meter"] == [[1000.0]] * 3
    for index, buffer in enumerate(depth["DepthImage:buffer"]):
        kept = np.array(buffer[0], np.uint8).view(np.uint16).reshape(48, 64) / 1000
        assert kept[0, 0] == 0
        assert np.abs(kept - scene(index)[1])[0, 1:].max() < 0.00051

    matrix, resolution = (found["/camera"][f"Pinhole:{name}"][0][0] for name in ("image_from_camera", "resolution"))
    # By columns, as Rerun keeps it; its pixels count from the corner of the first, ours from the centre.
    assert np.reshape(matrix, (3, 3)).T.tolist() == [[50, 0, 31], [0, 55, 20.5], [0, 0, 1]]
    assert resolution == [64, 48]
    assert found["/camera"]["camera"] == [["told"]] * 3
    jpeg = np.array(found["/camera/image"]["EncodedImage:blob"][2][0], np.uint8)
    assert np.abs(cv2.imdecode(jpeg, cv2.IMREAD_COLOR).astype(int) - scene(2)[0].frame).max() < 6


def test_a_sensors_depth_and_how_far_ours_is_from_it_are_kept(tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    captured, depth = scene(0)
    measured = np.random.default_rng(0).uniform(0.5, 9, depth.shape).astype(np.float32)
    measured[5:9, 7:20] = np.nan
    with open_sink(tmp_path / "x.rrd", 0.3, 6.0) as sink:
        sink.write(replace(with_depth(captured, depth, CAMERA), measured=measured))
        sink.write(with_depth(*scene(1), CAMERA))
    found = read(tmp_path / "x.rrd")
    assert found["/camera/measured"]["frame"] == found["/camera/error"]["frame"] == [0]
    assert found["/camera/measured"]["DepthImage:meter"] == [[1000.0]]
    (buffer,) = found["/camera/measured"]["DepthImage:buffer"][0]
    kept = np.array(buffer, np.uint8).view(np.uint16).reshape(48, 64)
    np.testing.assert_array_equal(kept == 0, np.isnan(measured))
    assert np.nanmax(np.abs(kept / 1000 - measured)[kept > 0]) < 0.00051
    (buffer,) = found["/camera/error"]["Image:buffer"][0]
    error = np.array(buffer, np.uint8).view(np.float32).reshape(48, 64)
    np.testing.assert_array_equal(np.isnan(error), np.isnan(measured) | np.isnan(depth))
    np.testing.assert_allclose(measured + error, np.where(np.isnan(error), np.nan, depth), atol=1e-5)
    assert (error < 0).any()
    assert (error > 0).any()


def test_an_error_leaves_an_earlier_recording_as_it_was(tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    path = tmp_path / "x.rrd"
    path.write_bytes(b"earlier")

    def failing() -> None:
        with open_sink(path, 0.3, 6.0) as sink:
            sink.write(with_depth(*scene(0), CAMERA))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert [file.name for file in tmp_path.iterdir()] == ["x.rrd"]
    assert path.read_bytes() == b"earlier"


def test_ctrl_c_keeps_what_was_recorded(tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    kept = Kept()

    def interrupted() -> None:
        source = FramesSource(itertools.repeat(np.zeros((48, 64, 3), np.uint8)))
        sinks = [open_sink(tmp_path / "x.rrd", 0.3, 6.0), kept]
        with Pipeline(SlowEngine(0.01), [SIZE], [Feed(source, sinks)]):
            assert wait_until(lambda: len(kept.got) >= 10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(read(tmp_path / "x.rrd")["/camera/depth"]["frame"]) >= 5


def test_a_recording_without_frames_writes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    with open_sink(tmp_path / "x.rrd", 0.3, 6.0):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_names_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written goes to a device that is always full."""
    stream = pytest.importorskip("rerun").RecordingStream
    save = stream.save
    monkeypatch.setattr(stream, "save", lambda self, _: save(self, "/dev/full"))
    noise = np.random.default_rng(0).uniform(1, 6, (48, 64)).astype(np.float32)

    def fill() -> None:
        with open_sink(tmp_path / "x.rrd", 0.3, 6.0) as sink:
            for index in range(200):
                sink.write(with_depth(scene(index)[0], noise))

    with pytest.raises(OutputError, match=r"x\.rrd could not be written .*free some space"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "clipdepth.sinks.rerun", raising=False)
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(MissingExtraError, match=r"clipdepth\[rerun\]"):
        open_sink(tmp_path / "x.rrd", 0.3, 6.0)
