"""Poses beside pictures, and the neighbours that self-supervision takes by them."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth.errors import DataError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.layout import FrameFiles, write_pose
from clipdepth_train.data.poses import between, neighbour_of, read_pose
from clipdepth_train.data.rooms import RoomsSet
from train.rgbd_files import write_pair

Floats = NDArray[np.float64]


def pose_at(x: float, turn: float = 0.0) -> Floats:
    """A camera at x, in metres, that looks `turn` radians to the side of z."""
    c, s = math.cos(turn), math.sin(turn)
    return np.array([[c, 0, s, x], [0, 1, 0, 0.5], [-s, 0, c, -1], [0, 0, 0, 1]])


def walk(folder: Path, places: Sequence[float]) -> list[Path]:
    """Pictures taken at these places along x, with their poses; the pictures themselves are not written."""
    files = [FrameFiles(folder, "train", "attic", index) for index in range(len(places))]
    for file, x in zip(files, places, strict=True):
        file.folder.mkdir(parents=True, exist_ok=True)
        write_pose(file.pose, pose_at(x))
    return [file.rgb for file in files]


def told(pictures: Sequence[Path], *parts: str) -> None:
    """Looking for a neighbour of the first picture is refused in one line that holds `parts`."""
    with pytest.raises(DataError) as error:
        neighbour_of(pictures, 0, after=True)
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


def test_a_pose_is_read_as_it_was_written(tmp_path: Path) -> None:
    (picture,) = walk(tmp_path, [0.0])
    write_pose(picture.with_name("pose_00000.txt"), pose_at(1 / 3, 0.7))
    np.testing.assert_array_equal(read_pose(picture), pose_at(1 / 3, 0.7))


def test_the_neighbour_is_the_first_that_is_5_cm_away(tmp_path: Path) -> None:
    pictures = walk(tmp_path, [0.02 * n for n in range(12)])
    assert neighbour_of(pictures, 5, after=True) == 8
    assert neighbour_of(pictures, 5, after=False) == 2


def test_distance_counts_and_not_the_number_of_pictures(tmp_path: Path) -> None:
    pictures = walk(tmp_path, [0.0, 0.01, 0.049, 0.051, 0.2])
    assert neighbour_of(pictures, 0, after=True) == 3
    assert neighbour_of(pictures, 3, after=True) == 4
    assert neighbour_of(pictures, 4, after=False) == 3


def test_all_three_axes_count(tmp_path: Path) -> None:
    pictures = walk(tmp_path, [0.0, 0.0, 0.0])
    for picture, shift in zip(pictures[1:], ((0, 0.03, 0.03), (0.03, 0.03, 0.03)), strict=True):
        pose = pose_at(0.0)
        pose[:3, 3] += shift
        write_pose(picture.with_name(picture.stem.replace("rgb", "pose") + ".txt"), pose)
    assert neighbour_of(pictures, 0, after=True) == 2


def test_at_the_end_of_a_sequence_the_other_side_is_taken(tmp_path: Path) -> None:
    pictures = walk(tmp_path, [0.03 * n for n in range(6)])
    assert neighbour_of(pictures, 5, after=True) == 3
    assert neighbour_of(pictures, 0, after=False) == 2
    # One step on there is another picture, but not 5 cm away.
    assert neighbour_of(pictures, 4, after=True) == 2


def test_ten_pictures_further_nobody_looks(tmp_path: Path) -> None:
    """The camera waits for eleven pictures and then moves on."""
    pictures = walk(tmp_path, [-0.1, *[0.0] * 11, 0.1])
    assert neighbour_of(pictures, 1, after=True) == 0
    assert neighbour_of(pictures, 2, after=True) == 12
    assert neighbour_of(pictures, 11, after=False) == 12


def test_where_none_is_5_cm_away_the_farthest_is_taken(tmp_path: Path) -> None:
    pictures = walk(tmp_path, [0.0, 0.01, 0.02, 0.01])
    assert neighbour_of(pictures, 0, after=True) == 2
    assert neighbour_of(pictures, 2, after=True) == 0


def test_other_folders_are_other_places(tmp_path: Path) -> None:
    pictures = walk(tmp_path / "a", [0.0, 0.1, 0.2]) + walk(tmp_path / "b", [9.0, 9.1, 9.2])
    assert neighbour_of(pictures, 2, after=True) == 1
    assert neighbour_of(pictures, 3, after=False) == 4


def test_a_camera_that_stands_is_told(tmp_path: Path) -> None:
    pictures = walk(tmp_path, [1.0] * 4)
    told(pictures, str(pictures[0]), "another place", "'warped'")
    told(pictures[:1], str(pictures[0]), "'warped'")


def test_a_missing_pose_is_told(tmp_path: Path) -> None:
    pictures = walk(tmp_path, [0.0, 0.01, 0.1])
    pictures[1].with_name("pose_00001.txt").unlink()
    told(pictures, str(pictures[1]), "no pose_00001.txt")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "1 2 3\n4 5 6\n",
        "1 0 0 0\n0 1 0 0\n0 0 x 0\n0 0 0 1\n",
        "1 0 0 0\n0 1 0\n0 0 1 0\n0 0 0 1\n",
        "\0\xff",
    ],
    ids=["empty", "blank", "2×3", "a letter", "ragged", "binary"],
)
def test_a_damaged_pose_is_told(tmp_path: Path, text: str) -> None:
    pictures = walk(tmp_path, [0.0, 0.1])
    pictures[0].with_name("pose_00000.txt").write_bytes(text.encode("latin-1"))
    told(pictures, "pose_00000.txt is not a 4×4 matrix", "correct it")


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_an_unknown_pose_is_told(tmp_path: Path, value: float) -> None:
    pictures = walk(tmp_path, [0.0, 0.1])
    write_pose(pictures[1].with_name("pose_00001.txt"), np.full((4, 4), value))
    told(pictures, "pose_00001.txt", str(value), "off the list")


@pytest.mark.parametrize(
    "pose", [np.zeros((4, 4)), 1.1 * np.eye(4), np.diag([1.0, -1, 1, 1])], ids=["zeros", "scaled", "mirrored"]
)
def test_a_pose_that_is_none_is_told(tmp_path: Path, pose: Floats) -> None:
    pictures = walk(tmp_path, [0.0, 0.1])
    write_pose(pictures[1].with_name("pose_00001.txt"), pose)
    told(pictures, "pose_00001.txt is no pose")


def test_between_takes_points_from_one_camera_to_the_other(tmp_path: Path) -> None:
    here, there = walk(tmp_path, [0.0, 0.0])
    a, b = pose_at(0.3, 0.4), pose_at(-0.2, -0.9)
    for picture, pose in ((here, a), (there, b)):
        write_pose(picture.with_name(picture.stem.replace("rgb", "pose") + ".txt"), pose)
    world = np.random.default_rng(0).normal(size=(20, 3))
    before_here, before_there = ((world - pose[:3, 3]) @ pose[:3, :3] for pose in (a, b))
    relative = between(here, there)
    np.testing.assert_allclose(before_here @ relative[:3, :3].T + relative[:3, 3], before_there, atol=1e-12)
    np.testing.assert_array_equal(relative[3], [0, 0, 0, 1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pairs 3 cm apart, turning, of which the list names all."""
    for index in range(5):
        write_pair(tmp_path / "train" / "attic", f"{index:05d}", 1000 * (index + 1))
        write_pose(FrameFiles(tmp_path, "train", "attic", index).pose, pose_at(0.03 * index, 0.1 * index))
    return tmp_path


@pytest.mark.parametrize(("index", "after", "other"), [(0, True, 2), (2, False, 0), (4, True, 2), (1, True, 3)])
def test_a_folders_neighbour(folder: Path, index: int, after: bool, other: int) -> None:
    view = FolderSet(folder, "train", 1000.0, 10.0).neighbour(index, after)
    # Blue tells which picture it is.
    assert view.frame[0, 0, 0] == 10 * (other + 1)
    point = np.array([0.2, -0.1, 2.0])
    here, there = (pose_at(0.03 * n, 0.1 * n) for n in (index, other))
    world = here[:3, :3] @ point + here[:3, 3]
    expected = there[:3, :3].T @ (world - there[:3, 3])
    np.testing.assert_allclose(view.pose[:3, :3] @ point + view.pose[:3, 3], expected, atol=1e-12)


def test_a_folder_without_poses_says_so_when_asked_for_a_neighbour(folder: Path) -> None:
    for path in folder.rglob("pose_*"):
        path.unlink()
    pairs = FolderSet(folder, "train", 1000.0, 10.0)
    assert len(pairs) == 5
    with pytest.raises(DataError, match=r"rgb_00000\.png has no pose_00000\.txt; 'neighbour' views need poses"):
        pairs.neighbour(0, after=True)


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("index", [0, 7, 39, 40])
def test_a_rooms_neighbour_is_a_third_of_a_second_away(index: int, after: bool) -> None:
    view = RoomsSet("train", 12, 16, 2, 10.0).neighbour(index, after)
    room, seconds = Room(index // 40), index % 40 * 1.5
    here, there = (room.render(t, default_intrinsics(12, 16)) for t in (seconds, seconds + (0.33 if after else -0.33)))
    np.testing.assert_array_equal(view.frame, there.frame)
    point = np.array([0.2, -0.1, 2.0])
    world = here.pose[:3, :3] @ point + here.pose[:3, 3]
    expected = there.pose[:3, :3].T @ (world - there.pose[:3, 3])
    np.testing.assert_allclose(view.pose[:3, :3] @ point + view.pose[:3, 3], expected, atol=1e-9)
    moved = np.linalg.norm(there.pose[:3, 3] - here.pose[:3, 3])
    assert 0.05 < moved < 0.33


def test_no_neighbour_of_what_is_not_in_the_set() -> None:
    pairs = RoomsSet("train", 12, 16, 1, 10.0)
    for index in (-1, 40):
        with pytest.raises(IndexError):
            pairs.neighbour(index, after=True)
