"""`clipdepth data check`, on rendered rooms, whole and damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from clipdepth.cli import main
from clipdepth.rooms import Room, default_intrinsics
from train.rgbd_files import write_png

HEIGHT, WIDTH = 180, 240
FOCAL = default_intrinsics(HEIGHT, WIDTH).fx
Rendered = list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    """Pictures and millimetres of six rooms."""
    views = [Room(seed).render(1.0, default_intrinsics(HEIGHT, WIDTH)) for seed in range(6)]
    return [(view.frame, np.rint(view.depth * 1000).astype(np.uint16)) for view in views]


def write_set(folder: Path, rendered: Rendered, camera: str = f"{FOCAL} {FOCAL} 119.5 89.5") -> Path:
    """Four pairs to train and two to test, of a folder each."""
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for index, (frame, depth) in enumerate(rendered):
        split = "train" if index < 4 else "test"
        write_png(folder / split / f"room{index}" / "rgb_1.png", frame)
        write_png(folder / split / f"room{index}" / "sync_depth_1.png", depth)
        lines[split].append(f"room{index}/rgb_1.png room{index}/sync_depth_1.png {camera}\n")
    for split, written in lines.items():
        (folder / f"{split}.txt").write_text("".join(written))
    return folder


def check(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """The exit status, and what check.json says."""
    status = main(["data", "check", str(folder), *options])
    return status, json.loads((folder / "check" / "check.json").read_text())


def found(report: dict[str, Any], kind: str = "faults") -> dict[str, int]:
    return {entry["kind"]: entry["count"] for entry in report[kind]}


def test_a_whole_set(tmp_path: Path, rendered: Rendered, capsys: pytest.CaptureFixture[str]) -> None:
    status, report = check(write_set(tmp_path, rendered))
    told = capsys.readouterr().out
    assert status == 0, told
    assert report["faults"] == report["notes"] == []
    assert report["pairs"] == {"train": 4, "test": 2}
    depth = np.concatenate([depth.ravel() for _, depth in rendered]) / 1000
    for share, metres in report["depth_metres_by_quantile"].items():
        assert metres == pytest.approx(np.quantile(depth, float(share)), rel=0.02)
    assert report["share_of_holes"] == 0
    assert "4 pairs to train, 2 to test; 6 read whole" in told
    sheet = cv2.imread(str(tmp_path / "check" / "pairs.png"))
    assert sheet is not None
    # The pictures are on it: two rows of three pairs.
    assert sheet.shape[0] > 2 * 180
    assert sheet.shape[1] > 3 * 480


@pytest.mark.parametrize("camera", ["", f"{FOCAL}"])
def test_the_other_forms_of_a_line(tmp_path: Path, rendered: Rendered, camera: str) -> None:
    assert check(write_set(tmp_path, rendered, camera))[0] == 0


def test_a_folder_without_lists(tmp_path: Path, rendered: Rendered) -> None:
    write_set(tmp_path, rendered)
    for split in ("train", "test"):
        (tmp_path / f"{split}.txt").unlink()
    status, report = check(tmp_path)
    assert status == 0
    assert report["pairs"] == {"train": 4, "test": 2}


def test_faults_of_files_are_counted_and_the_first_is_named(
    tmp_path: Path, rendered: Rendered, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(tmp_path, rendered)
    train = tmp_path / "train"
    (train / "room0" / "rgb_1.png").unlink()
    write_png(train / "room1" / "sync_depth_1.png", rendered[1][1][:90])
    write_png(train / "room2" / "sync_depth_1.png", np.zeros((HEIGHT, WIDTH), np.uint16))
    (train / "room3" / "rgb_1.png").write_bytes(b"GIF89a")
    with (tmp_path / "train.txt").open("a") as file:
        file.write("room0/rgb_1.png\nroom0/rgb_1.png None\n")
    status, report = check(tmp_path)
    assert status == 1
    assert found(report) == {
        "line that is not 'rgb depth [focal | fx fy cx cy]'": 1,
        "missing file": 1,
        "picture and depth of different sizes": 1,
        "depth that is all unknown": 1,
        "file that is no picture, or damaged": 1,
    }
    output = capsys.readouterr()
    assert f"{train / 'room0' / 'rgb_1.png'} ({tmp_path / 'train.txt'}:1)" in output.out
    assert "train.txt:2 (240×180 and 240×90)" in output.out
    assert "has 5 kinds of faults" in output.err.splitlines()[-1]


def test_test_pictures_that_are_trained_on(tmp_path: Path, rendered: Rendered) -> None:
    write_set(tmp_path, rendered)
    copied = tmp_path / "test" / "room4" / "rgb_1.png"
    copied.write_bytes((tmp_path / "train" / "room1" / "rgb_1.png").read_bytes())
    with (tmp_path / "test.txt").open("a") as file:
        file.write("train/room2/rgb_1.png train/room2/sync_depth_1.png\n")
    status, report = check(tmp_path)
    assert status == 1
    assert found(report) == {"test picture that is trained on": 2}
    assert found(report, "notes") == {"test picture from a folder that is trained on": 1}


@pytest.mark.parametrize(
    ("camera", "kind"),
    [
        ("-585", "focal length that cannot be"),
        ("nan", "focal length that cannot be"),
        ("1.9", "focal length that cannot be"),  # millimetres
        ("58500", "focal length that cannot be"),
        (f"{FOCAL} {FOCAL} 300 89", "principal point outside the picture"),
    ],
)
def test_cameras_that_cannot_be(tmp_path: Path, rendered: Rendered, camera: str, kind: str) -> None:
    status, report = check(write_set(tmp_path, rendered, camera))
    assert status == 1
    assert found(report) == {kind: 6}


def as_plain_folders(folder: Path, rendered: Rendered) -> Path:
    """The set without its lists, which alone state a camera."""
    write_set(folder, rendered)
    for split in ("train", "test"):
        (folder / f"{split}.txt").unlink()
    return folder


def test_without_lists_the_camera_is_that_of_a_file(
    tmp_path: Path, rendered: Rendered, capsys: pytest.CaptureFixture[str]
) -> None:
    as_plain_folders(tmp_path, rendered)
    status, report = check(tmp_path)
    assert (status, found(report, "notes")) == (0, {"missing K.txt, and no camera in the lists": 1})
    camera = tmp_path / "K.txt"
    for text, faults in {
        f"{FOCAL} 0 119.5\n0 {FOCAL} 89.5\n0 0 1\n": {},
        f"{FOCAL} {FOCAL} 119.5 89.5\n": {"K.txt that is no 3×3 matrix": 1},
        "the camera of my phone\n": {"K.txt that is no 3×3 matrix": 1},
        "1.9 0 119.5\n0 1.9 89.5\n0 0 1\n": {"focal length that cannot be": 6},  # millimetres
    }.items():
        camera.write_text(text)
        status, report = check(tmp_path)
        assert (status, found(report), report["notes"]) == (int(bool(faults)), faults, [])
        assert ("has 1 kind of faults" in capsys.readouterr().err) == bool(faults)


def test_pictures_without_depth_are_told_without_quantiles_of_nothing(
    tmp_path: Path, rendered: Rendered, capsys: pytest.CaptureFixture[str]
) -> None:
    for depth in as_plain_folders(tmp_path, rendered).rglob("sync_depth_*.png"):
        depth.unlink()
    status, report = check(tmp_path)
    assert (status, found(report)["missing file"]) == (1, 6)
    assert "nan" not in capsys.readouterr().out


def test_pixels_that_are_not_square_are_a_note(tmp_path: Path, rendered: Rendered) -> None:
    status, report = check(write_set(tmp_path, rendered, f"{FOCAL} {FOCAL * 1.05} 119.5 89.5"))
    assert status == 0
    assert found(report, "notes") == {"pixels that are not square": 6}


def test_depth_beyond_the_range_and_of_a_wrong_scale(tmp_path: Path, rendered: Rendered) -> None:
    write_set(tmp_path, rendered)
    status, report = check(tmp_path, "--max-depth", "0.5")
    assert status == 1
    assert found(report) == {"depth mostly beyond 0.5 m": 6}
    assert report["share_beyond_range"] > 0.9
    (tmp_path / "depth_scale.txt").write_text("100000\n")
    assert "median depth that cannot be" in found(check(tmp_path)[1])
    assert check(tmp_path, "--depth-scale", "1000")[0] == 0
    (tmp_path / "depth_scale.txt").write_text("a lot\n")
    assert main(["data", "check", str(tmp_path)]) == 1


def test_a_picture_that_lies_beside_its_depth(tmp_path: Path, rendered: Rendered) -> None:
    (straight, moved) = (tmp_path / "straight", tmp_path / "moved")
    before = check(write_set(straight, rendered))[1]["shift_pixels"]
    shifted = [(np.roll(frame, (-4, 7), (0, 1)), depth) for frame, depth in rendered]
    status, report = check(write_set(moved, shifted))
    assert status == 1
    assert found(report) == {"pictures that lie beside their depth": 1}
    after = report["shift_pixels"]
    assert abs(before["x"]) < 1.5
    assert abs(before["y"]) < 1.5
    assert after["x"] - before["x"] == pytest.approx(7, abs=0.5)
    assert after["y"] - before["y"] == pytest.approx(-4, abs=0.5)


def test_no_data_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        assert main(["data", "check", str(folder)]) == 1
        assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk through one rendered room, with the renderer's own poses and focal length."""
    out = tmp_path_factory.mktemp("walk")
    options = ["--train", "20", "--test", "2", "--size", "240x320"]
    assert main(["data", "render", "rooms", "--out", str(out), *options]) == 0
    return out


def restated(walk: Path, folder: Path, factor: float, numbers: int) -> Path:
    """The same set with another focal length in its lists, by itself or with the principal point."""
    camera = default_intrinsics(240, 320)
    words = [f"{factor * camera.fx}", f"{factor * camera.fy}", f"{camera.cx}", f"{camera.cy}"][:numbers]
    folder.mkdir()
    for split in ("train", "test"):
        (folder / split).symlink_to(walk / split)
        lines = (line.split()[:2] for line in (walk / f"{split}.txt").read_text().splitlines())
        (folder / f"{split}.txt").write_text("".join(f"{' '.join([*line, *words])}\n" for line in lines))
    return folder


@pytest.mark.parametrize(("factor", "numbers"), [(1.0, 1), (1.0, 4), (1.13, 1), (0.9, 4)])
def test_a_focal_length_is_compared_with_the_poses(
    tmp_path: Path, walk: Path, capsys: pytest.CaptureFixture[str], factor: float, numbers: int
) -> None:
    status, report = check(restated(walk, tmp_path / "set", factor, numbers))
    measured = report["focal_from_poses"]
    # The renderer's focal length comes back, whatever the lists state.
    assert measured["factor"] * factor == pytest.approx(1, abs=0.005)
    assert measured["low"] <= measured["factor"] <= measured["high"]
    assert measured["pictures"] >= 10
    right = factor == 1
    assert status == (0 if right else 1)
    assert found(report) == ({} if right else {"focal length that the poses contradict": 1})
    assert f"focal length: {1 / factor:.2f}" in capsys.readouterr().out


def test_without_poses_or_with_few_nothing_is_said_of_them(tmp_path: Path, rendered: Rendered, walk: Path) -> None:
    _, report = check(write_set(tmp_path / "no", rendered))
    assert report["focal_from_poses"] is None
    few = restated(walk, tmp_path / "few", 1.2, 4)
    (few / "train.txt").write_text("".join((few / "train.txt").read_text().splitlines(keepends=True)[:6]))
    status, report = check(few)
    assert (status, report["focal_from_poses"]) == (0, None)


def test_what_is_damaged_is_told_and_the_rest_is_compared(tmp_path: Path, walk: Path) -> None:
    copied = tmp_path / "walk"
    shutil.copytree(walk, copied)
    poses = sorted((copied / "train").rglob("pose_*.txt"))
    poses[3].write_text("1 0 0\n")
    poses[4].write_text("nan " * 16)
    poses[5].unlink()
    cut = sorted((copied / "train").rglob("rgb_*.jpg"))[8]
    cut.write_bytes(cut.read_bytes()[:2000])
    status, report = check(copied, "--pairs", "1")
    assert status == 1
    assert found(report, "notes") == {"pose that cannot be": 2}
    # The picture's header is whole; it is looked at by itself and as its neighbour's neighbour.
    assert found(report).keys() == {"file that cannot be read"}
    measured = report["focal_from_poses"]
    assert measured["pictures"] >= 10
    assert measured["factor"] == pytest.approx(1, abs=0.005)


def rewritten(walk: Path, folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """The walk with other poses."""
    shutil.copytree(walk, folder)
    for path in folder.rglob("pose_*.txt"):
        np.savetxt(path, change(np.loadtxt(path)))
    return folder


@pytest.mark.parametrize("convention", ["world to camera", "y up"])
def test_poses_of_another_convention_are_not_taken_for_a_focal_length(
    tmp_path: Path, walk: Path, convention: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {"world to camera": np.linalg.inv, "y up": lambda pose: pose @ np.diag([1.0, -1.0, -1.0, 1.0])}
    status, report = check(rewritten(walk, tmp_path / "set", changes[convention]))
    assert status == 0
    assert not report["focal_from_poses"]["fits"]
    assert found(report, "notes") == {"poses that no focal length fits": 1}
    assert "none fits" in capsys.readouterr().out


def test_a_focal_length_far_off_is_not_measured(tmp_path: Path, walk: Path) -> None:
    _, report = check(restated(walk, tmp_path / "set", 2.5, 4))
    assert not report["focal_from_poses"]["fits"]


def test_pictures_of_several_sizes_each_with_its_camera(tmp_path: Path, walk: Path) -> None:
    """Every second picture is five times as large, wider than what is compared, and cropped on one side."""
    folder = tmp_path / "set"
    shutil.copytree(walk, folder)
    camera, lines = default_intrinsics(240, 320), list[str]()
    for index, line in enumerate((walk / "train.txt").read_text().splitlines()):
        rgb, depth, *_ = line.split()
        fx, cx, cy = camera.fx, camera.cx, camera.cy
        if index % 2:
            large = camera.resized(1600, 1200)
            fx, cx, cy = large.fx, large.cx - 100, large.cy
            for name, method in ((rgb, cv2.INTER_CUBIC), (depth, cv2.INTER_NEAREST)):
                path = folder / "train" / name
                picture = cv2.resize(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), (1600, 1200), interpolation=method)
                cv2.imwrite(str(path), picture[:, 100:])
        lines.append(f"{rgb} {depth} {1.1 * fx} {1.1 * fx} {cx} {cy}\n")
    (folder / "train.txt").write_text("".join(lines))
    _, report = check(folder)
    assert report["focal_from_poses"]["factor"] * 1.1 == pytest.approx(1, abs=0.005)
