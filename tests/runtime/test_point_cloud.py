"""Point clouds, read back by a reader of the PLY format that is written out here."""

from pathlib import Path

import numpy as np
import pytest

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import OutputError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sinks import Sink, open_sink
from clipdepth.sources import Captured
from depth_frames import with_depth
from ply_files import read_ply


def cloud_sink(path: Path) -> Sink:
    return open_sink(path, 0.3, 6.0)


def test_points_lie_on_the_rooms_surfaces_in_their_colours(tmp_path: Path) -> None:
    room, pinhole = Room(1), default_intrinsics(48, 64)
    view = room.render(2.0, pinhole)
    with cloud_sink(tmp_path / "new" / "x.ply") as sink:
        sink.write(with_depth(Captured(view.frame, 0.1, 7), view.depth, pinhole))
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["x_000007.ply"]
    cloud = read_ply(tmp_path / "new" / "x_000007.ply")
    assert list(cloud) == ["x", "y", "z", "red", "green", "blue"]

    seen = np.stack([cloud[axis] for axis in "xyz"], 1)
    world = seen @ view.pose[:3, :3].T + view.pose[:3, 3]
    gaps = np.stack([np.abs(shape.distance(world)) for shape in room.shapes])
    to_shell = np.minimum(world, room.size - world).min(1)
    assert np.minimum(gaps.min(0), np.abs(to_shell)).max() < 5e-5
    bgr = np.stack([cloud[colour] for colour in ("blue", "green", "red")], 1)
    np.testing.assert_array_equal(bgr, view.frame.reshape(-1, 3))


def test_points_follow_the_frames_pinhole(tmp_path: Path) -> None:
    pinhole = Intrinsics(3, 2, 2.0, 4.0, 1.0, 0.5)
    with cloud_sink(tmp_path / "x.ply") as sink:
        black = Captured(np.zeros((2, 3, 3), np.uint8), 0.0, 0)
        sink.write(with_depth(black, np.full((2, 3), 8, np.float32), pinhole))
    cloud = read_ply(tmp_path / "x_000000.ply")
    assert cloud["x"].tolist() == [-4, 0, 4, -4, 0, 4]
    assert cloud["y"].tolist() == [-1, -1, -1, 1, 1, 1]
    assert cloud["z"].tolist() == [8] * 6


def test_pixels_without_depth_are_left_out(tmp_path: Path) -> None:
    depth = np.array([[1, 0, np.nan], [-1, np.inf, 2]], np.float32)
    frame = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    with cloud_sink(tmp_path / "x.ply") as sink:
        sink.write(with_depth(Captured(frame, 0.0, 0), depth, Intrinsics(3, 2, 1.0, 1.0, 0.0, 0.0)))
    cloud = read_ply(tmp_path / "x_000000.ply")
    assert cloud["z"].tolist() == [1, 2]
    assert cloud["x"].tolist() == [0, 4]
    assert cloud["red"].tolist() == [2, 17]


def test_clouds_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "x_000000.ply").touch()
    with (
        pytest.raises(OutputError, match=r"x_\*\.ply files already"),
        cloud_sink(tmp_path / "x.ply"),
    ):
        pass
    with cloud_sink(tmp_path / "y.ply") as sink:
        assert sink.name == str(tmp_path / "y_*.ply")


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sink = cloud_sink(tmp_path / "file" / "x.ply")
    with pytest.raises(OutputError, match="choose another"), sink:
        pass
