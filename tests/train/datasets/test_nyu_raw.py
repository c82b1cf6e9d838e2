"""NYU Depth v2's raw sequences, as BTS lists them."""

from pathlib import Path

import pytest

from clipdepth_train.data.nyu import KINECT
from train.dataset_files import listed, picture, prepare, ramp, refused, write, write_text

TRAIN, TEST = "nyudepthv2_train_files_with_gt.txt", "nyudepthv2_test_files_with_gt.txt"


def pair(folder: Path, number: int) -> None:
    write(folder / f"rgb_{number:05d}.jpg", picture(number, 640, 480))
    write(folder / f"sync_depth_{number:05d}.png", ramp(number, 640, 480) % 9000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """`sync` and `official_splits/test` as BTS has them, its lists beside them."""
    top = tmp_path / "nyu_depth_v2"
    for scene in ("kitchen_0028b", "office_0003"):
        for number in (45, 46):
            pair(top / "sync" / scene, number)
    pair(top / "official_splits" / "test" / "bathroom", 45)
    lines = [
        f"/{scene}/rgb_{number:05d}.jpg /{scene}/sync_depth_{number:05d}.png 518.8579\n"
        for scene in ("kitchen_0028b", "office_0003")
        for number in (45, 46)
    ]
    write_text(tmp_path / "lists" / TRAIN, "".join(lines))
    test = "bathroom/rgb_00045.jpg bathroom/sync_depth_00045.png 518.8579\nbathroom/rgb_00046.jpg None 518.8579\n"
    write_text(tmp_path / "lists" / TEST, test)
    return top


def test_both_lists(source: Path, tmp_path: Path) -> None:
    assert prepare("nyu-raw", source, tmp_path / "out", "--lists", str(tmp_path / "lists")) == 0
    train, test = (listed(tmp_path / "out", split) for split in ("train", "test"))
    assert len(train) == 4
    assert len(test) == 1
    assert train[0].camera == (KINECT.fx, KINECT.fy, KINECT.cx, KINECT.cy)
    assert train[1].rgb.resolve() == (source / "sync/kitchen_0028b/rgb_00046.jpg").resolve()
    assert (train[1].units == ramp(46, 640, 480) % 9000).all()
    assert (tmp_path / "out" / "depth_scale.txt").read_text() == "1000\n"


def test_without_the_test_list_a_scene_is_held_out(source: Path, tmp_path: Path) -> None:
    (tmp_path / "lists" / TEST).unlink()
    assert prepare("nyu-raw", source, tmp_path / "out", "--lists", str(tmp_path / "lists")) == 0
    assert [line.rgb.parent.name for line in listed(tmp_path / "out", "test")] == ["office_0003"] * 2


def test_missing_lists_and_pictures_are_told(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--lists" in refused(capsys, "nyu-raw", source, tmp_path / "out")
    (source / "sync" / "office_0003" / "rgb_00045.jpg").unlink()
    told = refused(capsys, "nyu-raw", source, tmp_path / "out", "--lists", str(tmp_path / "lists"))
    assert "rgb_00045.jpg cannot be read" in told
