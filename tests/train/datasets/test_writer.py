"""What all datasets have in common: lists, links, going on, splits."""

import json
from pathlib import Path

import numpy as np
import pytest

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError, UsageError
from clipdepth_train.data.datasets.association import associate
from clipdepth_train.data.datasets.held_out import splits_of
from clipdepth_train.data.datasets.pair import Depth, Pair, Picture
from clipdepth_train.data.datasets.writer import Target, write_dataset
from clipdepth_train.data.folder import FolderSet
from train.dataset_files import listed, picture, ramp, write

CAMERA = Intrinsics(8, 6, 7.123456, 7.5, 3.5, 2.25)


def read_picture() -> Picture:
    return picture(30, 8, 6)


def read_depth() -> Depth:
    return np.full((6, 8), 100.5, np.float32)


def converted(count: int, scene: str = "attic") -> list[Pair]:
    return [Pair(scene, f"{index:05d}", CAMERA, read_picture, read_depth) for index in range(count)]


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "source").mkdir()
    return Target(tmp_path / "out", "tum", tmp_path / "source", 256.0)


def test_what_is_converted_is_written_at_the_datasets_scale_with_its_camera(target: Target) -> None:
    assert write_dataset(target, converted(3)) == {"train": 2, "test": 1}
    first = listed(target.out, "train")[0]
    assert first.camera == (7.12346, 7.5, 3.5, 2.25)
    assert (first.units == 25728).all()  # 100.5 m, too far for millimetres
    assert (target.out / "depth_scale.txt").read_text() == "256\n"
    assert not list(target.out.rglob("*.partial*"))


def test_files_that_are_listed_where_they_lie_are_read_by_training(target: Target) -> None:
    write(target.source / "a" / "1.png", picture(30, 8, 6))
    write(target.source / "a" / "2.png", ramp(2560, 8, 6))
    pair = Pair("a", "1", CAMERA, target.source / "a" / "1.png", target.source / "a" / "2.png", "train")
    write_dataset(target, [pair])
    opened = FolderSet(target.out, "train", 256.0, 80.0)[0]
    np.testing.assert_array_equal(opened.frame, picture(30, 8, 6)[:, :, ::-1])
    np.testing.assert_array_equal(opened.depth, ramp(2560, 8, 6).astype(np.float32) / 256)
    assert [path.name for path in target.out.rglob("*.png")] == []


def test_it_goes_on_where_it_was_interrupted(target: Target) -> None:
    made = list[str]()

    def interrupted() -> Picture:
        raise KeyboardInterrupt

    def told() -> Picture:
        made.append("picture")
        return read_picture()

    pairs = converted(3)
    stopped = [pairs[0], Pair("attic", "00001", CAMERA, interrupted, read_depth), pairs[2]]
    with pytest.raises(KeyboardInterrupt):
        write_dataset(target, stopped)
    assert not (target.out / "train.txt").exists()
    before = {path: path.stat().st_mtime_ns for path in target.out.rglob("*.jpg")}
    assert len(before) == 1
    write_dataset(target, [Pair("attic", pair.name, CAMERA, told, read_depth) for pair in pairs])
    assert len(made) == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_folder_holds_one_dataset(target: Target, tmp_path: Path) -> None:
    write_dataset(target, converted(1))
    other = Target(target.out, "kitti", target.source, 256.0)
    with pytest.raises(UsageError, match=r"holds tum from .*; choose another folder"):
        write_dataset(other, converted(1))
    (tmp_path / "nyu").mkdir()
    (tmp_path / "nyu" / "train.txt").write_text("")
    with pytest.raises(UsageError, match="holds a dataset already"):
        write_dataset(Target(tmp_path / "nyu", "tum", target.source, 1000.0), converted(1))
    assert json.loads((target.out / "dataset.json").read_text())["dataset"] == "tum"


def test_every_so_many_of_each_scene(target: Target) -> None:
    thinned = Target(target.out, "tum", target.source, 1000.0, every=2)
    assert write_dataset(thinned, [*converted(3, "attic"), *converted(3, "bath")]) == {"train": 2, "test": 2}
    assert [line.rgb.stem for line in listed(target.out, "train")] == ["rgb_00000", "rgb_00002"]


def test_a_file_that_is_not_its_cameras_size_or_is_missing_is_told(target: Target) -> None:
    rgb, depth = write(target.source / "1.png", picture(30, 8, 6)), target.source / "2.png"
    with pytest.raises(DataError, match=r"2\.png cannot be read"):
        write_dataset(target, [Pair("a", "1", CAMERA, rgb, depth)])
    write(depth, ramp(0, 4, 3))
    with pytest.raises(DataError, match=r"2\.png is 4×3 pixels, where its camera has 8×6"):
        write_dataset(target, [Pair("a", "1", CAMERA, rgb, depth)])
    depth.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"2\.png is no picture or damaged"):
        write_dataset(target, [Pair("a", "1", CAMERA, rgb, depth)])


def test_names_that_a_list_parts_are_refused(target: Target) -> None:
    rgb, depth = write(target.source / "a b.png", picture(30, 8, 6)), write(target.source / "2.png", ramp(0, 8, 6))
    with pytest.raises(DataError, match="blank"):
        write_dataset(target, [Pair("a", "1", CAMERA, rgb, depth)])


@pytest.mark.parametrize(
    ("places", "tested"),
    [(1, []), (2, [1]), (4, [3]), (5, [4]), (14, [4]), (15, [4, 14]), (25, [4, 14, 24])],
)
def test_whole_places_are_held_out(places: int, tested: list[int]) -> None:
    pairs = [pair for place in range(places) for pair in converted(3, f"place {place:02d}")]
    splits = splits_of(pairs)
    if places == 1:
        assert splits == ["train", "train", "test"]
    else:
        assert splits == [("test" if place in tested else "train") for place in range(places) for _ in range(3)]


def test_scans_of_one_place_stay_together_and_a_stated_split_counts() -> None:
    pairs = [
        Pair("one_00", "0", CAMERA, read_picture, read_depth, None, "one"),
        Pair("two_00", "0", CAMERA, read_picture, read_depth, None, "two"),
        Pair("two_01", "0", CAMERA, read_picture, read_depth, None, "two"),
        Pair("xyz_00", "0", CAMERA, read_picture, read_depth, "train", "xyz"),
    ]
    assert splits_of(pairs) == ["train", "test", "test", "train"]


def test_times_are_paired_closest_first_and_once() -> None:
    assert associate([0.0, 0.1, 0.2], [0.005, 0.119, 0.121, 0.3], 0.02) == [(0, 0), (1, 1)]
    # 0.010 is nearer to 0.012, so that 0.000 takes what is left.
    assert associate([0.0, 0.010], [0.012, 0.015], 0.02) == [(0, 1), (1, 0)]
    assert associate([0.3, 0.1], [0.2, 0.301, 0.1], 0.02) == [(0, 1), (1, 2)]
    assert associate([], [1.0], 0.02) == []
