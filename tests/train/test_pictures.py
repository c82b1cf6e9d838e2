"""Pictures and videos without depth as a set."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from clipdepth.errors import DataError, SourceError, UsageError
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.pictures import PictureSet
from clipdepth_train.data.video_frames import LONGEST_SIDE
from clipdepth_train.named_data import NamedData, is_unmeasured, measured_data, named_data
from clipdepth_train.recipe import DataConfig
from clips import room_frames, write_clip
from train.rgbd_files import colours, millimetres, write_pair, write_png

TEN_A_SECOND = Fraction(10)


def names(pairs: PictureSet) -> list[str]:
    return [str(path.relative_to(pairs.folder)) for path in pairs.pictures]


def test_pictures_of_a_folder_and_those_below_it_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.png", "2.png", "b/1.jpg", "a/rgb_1.png", "a/other.png", ".hidden/1.png"):
        write_png(tmp_path / name, colours())
    write_png(tmp_path / "depth.png", millimetres())
    write_png(tmp_path / "a/sync_depth_1.png", millimetres())
    pairs = PictureSet(tmp_path, 0.5)
    assert names(pairs) == ["2.png", "10.png", "a/rgb_1.png", "b/1.jpg"]
    assert pairs[0].depth.shape == pairs.picture_size == (6, 8)
    assert not pairs[0].depth.any()
    np.testing.assert_array_equal(pairs[0].frame, colours())


def test_frames_of_a_video_are_taken_by_their_time(tmp_path: Path) -> None:
    frames = room_frames(1, 25)
    write_clip(tmp_path / "films/a.mp4", frames, rate=TEN_A_SECOND)
    write_png(tmp_path / "0.png", colours(height=48, width=64))
    pairs = PictureSet(tmp_path, 0.5)
    kept = "teacher/frames-0.5s/films/a.mp4"
    assert names(pairs) == ["0.png", *(f"{kept}/{number:06d}.jpg" for number in (0, 5, 10, 15, 20))]
    assert np.abs(pairs[2].frame.astype(float) - frames[5]).mean() < 8
    assert np.abs(pairs[2].frame.astype(float) - frames[0]).mean() > 8
    assert len(PictureSet(tmp_path, 0)) == 26, "all of them, and the frames are no pictures of their own"
    assert len(PictureSet(tmp_path / "films/a.mp4", 1.0)) == 3


def test_frames_are_taken_once_and_a_cut_off_video_goes_on(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", room_frames(1, 12), rate=TEN_A_SECOND)
    first, second, *rest = PictureSet(tmp_path, 0.2).pictures
    before = first.stat().st_mtime_ns
    assert PictureSet(tmp_path, 0.2).pictures == [first, second, *rest]
    second.unlink()
    (first.parent / "video.json").unlink()
    assert PictureSet(tmp_path, 0.2).pictures == [first, second, *rest]
    assert first.stat().st_mtime_ns == before


def test_another_video_of_the_same_name_is_told(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", room_frames(1, 4))
    PictureSet(tmp_path, 0.0)
    write_clip(tmp_path / "a.mp4", room_frames(2, 8))
    with pytest.raises(DataError, match=r"a.mp4 has changed since its frames were taken; delete "):
        PictureSet(tmp_path, 0.0)


def test_large_frames_are_made_smaller(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [np.zeros((40, 2 * LONGEST_SIDE, 3), np.uint8)] * 2)
    assert PictureSet(tmp_path, 0.0).picture_size == (20, LONGEST_SIDE)


def test_every_tenth_block_is_held_out(tmp_path: Path) -> None:
    for number in range(40):
        cv2.imwrite(str(tmp_path / f"{number}.png"), colours(number))
    train, test = (open_set(str(tmp_path), split, DataConfig()) for split in ("train", "test"))
    assert isinstance(test, PictureSet)
    assert isinstance(train, PictureSet)
    assert names(test) == ["20.png", "21.png", "22.png", "23.png"]
    assert not {*names(train)} & {*names(test)}
    assert len(train) == 36


def test_what_cannot_be_used_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no RGB-D pairs \(train.txt or train/\), no picture \(.*\) and no video$"):
        PictureSet(tmp_path, 0.5)
    write_png(tmp_path / "1.png", colours())
    with pytest.raises(DataError, match=r"has 1 pictures, too few to hold out a tenth; 10 are needed$"):
        PictureSet(tmp_path, 0.5, "test")
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match=r"a.mp4 .*"):
        PictureSet(tmp_path, 0.5)
    (tmp_path / "a.mp4").unlink()
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"1.png is damaged or no image"):
        PictureSet(tmp_path, 0.5)


def test_what_has_depth_is_told_from_what_has_none(tmp_path: Path) -> None:
    write_pair(tmp_path / "listed/train", "1")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/test.txt").write_text("")
    (tmp_path / "mine").mkdir()
    (tmp_path / "a.mp4").write_bytes(b"")
    measured = [str(tmp_path / "listed"), str(tmp_path / "lists"), "rooms", str(tmp_path / "missing")]
    assert not any(map(is_unmeasured, measured))
    unmeasured = [str(tmp_path / name) for name in ("mine", "a.mp4", "listed/train")]
    assert all(map(is_unmeasured, unmeasured))
    assert measured_data([f"{unmeasured[0]}:2", f"{measured[0]}:0.5"]) == measured[0]
    assert measured_data([f"{unmeasured[0]}:2"]) == unmeasured[0]


def test_a_name_and_its_weight() -> None:
    assert named_data("nyu") == NamedData("nyu", 1.0)
    assert named_data("my-videos:0.5") == NamedData("my-videos", 0.5)
    assert named_data("a:b:2") == NamedData("a:b", 2.0)
    assert named_data("C:\\data") == NamedData("C:\\data")
    for wrong in ("nyu:0", "", "nyu:0.0"):
        with pytest.raises(UsageError, match=rf"^--data '{wrong}' is not NAME or NAME:WEIGHT with a weight above 0"):
            named_data(wrong)
