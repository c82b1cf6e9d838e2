"""Recordings of Stray Scanner, in its own layout."""

from pathlib import Path

import numpy as np
import pytest

from train.dataset_files import listed, prepare, ramp, refused, write, write_text
from train.stray_files import HEIGHT, WIDTH, write_recording


def test_frames_get_their_depth_and_the_cameras_are_scaled(tmp_path: Path) -> None:
    write_recording(tmp_path / "71de12f9", 12)
    assert prepare("stray", tmp_path, tmp_path / "out") == 0
    lines = [*listed(tmp_path / "out", "train"), *listed(tmp_path / "out", "test")]
    assert [line.rgb.name for line in lines] == [f"rgb_{index:06d}.jpg" for index in range(12)]
    for index, line in enumerate(lines):
        assert line.colour[0] == pytest.approx(20 * index, abs=8)
        expected = ramp(1000 + 10 * index, WIDTH, HEIGHT)
        expected[0] = 0  # of confidence 0
        np.testing.assert_array_equal(line.units, expected)
        # The video is twice as wide as the depth: 100 pixels and a centre of 63.5 there.
        assert line.camera == (50, 50, 31.5, 23.5)


def test_newer_recordings_have_a_camera_a_frame(tmp_path: Path) -> None:
    write_recording(tmp_path / "walk", 4, cameras=True)
    assert prepare("stray", tmp_path / "walk", tmp_path / "out") == 0
    lines = [*listed(tmp_path / "out", "train"), *listed(tmp_path / "out", "test")]
    assert [line.camera[0] for line in lines] == [50, 50.5, 51, 51.5]


def test_what_is_missing_or_damaged_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no rgb.mp4 in" in refused(capsys, "stray", tmp_path, tmp_path / "out")
    folder = write_recording(tmp_path / "walk", 3)
    write_text(folder / "odometry.csv", "timestamp, frame, fx, fy, cx, cy\n0.1, 000000, a, 1, 1, 1\n")
    assert "odometry.csv is damaged" in refused(capsys, "stray", tmp_path, tmp_path / "out")
    write_text(folder / "odometry.csv", "")
    write(folder / "depth" / "000001.png", ramp(1000, 48, 48))
    assert "000001.png is of another size than its depth" in refused(capsys, "stray", tmp_path, tmp_path / "out")
    (folder / "confidence" / "000001.png").unlink()
    assert "of another shape" in refused(capsys, "stray", tmp_path, tmp_path / "out")
    (folder / "camera_matrix.csv").unlink()
    assert "camera_matrix.csv cannot be read" in refused(capsys, "stray", tmp_path, tmp_path / "out2")
