"""TUM RGB-D, in its own layout."""

from pathlib import Path

import numpy as np
import pytest

from train.dataset_files import listed, picture, prepare, ramp, refused, write, write_text


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence of freiburg1 and one of freiburg3; the second picture of the first has no depth within 20 ms."""
    top = tmp_path_factory.mktemp("tum")
    for name, start in (("rgbd_dataset_freiburg1_desk", 100.0), ("rgbd_dataset_freiburg3_office", 200.0)):
        folder = top / name
        rgb_times, depth_times = [start, start + 0.1, start + 0.2], [start + 0.015, start + 0.13, start + 0.195]
        for index, time in enumerate(rgb_times):
            write(folder / "rgb" / f"{time:.6f}.png", picture(10 * index, 640, 480))
        for index, time in enumerate(depth_times):
            write(folder / "depth" / f"{time:.6f}.png", np.full((480, 640), 5000 + index, np.uint16))
        for kind, times in (("rgb", rgb_times), ("depth", depth_times)):
            rows = "".join(f"{time:.6f} {kind}/{time:.6f}.png\n" for time in times)
            write_text(folder / f"{kind}.txt", f"# {kind} images\n# file: 'x.bag'\n# timestamp filename\n{rows}")
    return top


def test_pairs_within_20_ms_are_listed_where_they_lie(source: Path, tmp_path: Path) -> None:
    assert prepare("tum", source, tmp_path) == 0
    train, test = (listed(tmp_path, split) for split in ("train", "test"))
    assert [line.rgb.stem for line in train] == ["100.000000", "100.200000"]
    assert [line.depth.stem for line in train] == ["100.015000", "100.195000"]
    assert [int(line.units[0, 0]) for line in train] == [5000, 5002]
    assert train[0].camera == (517.3, 516.5, 318.6, 255.3)
    assert {line.camera for line in test} == {(535.4, 539.2, 320.1, 247.6)}
    assert (tmp_path / "depth_scale.txt").read_text() == "5000\n"


def test_a_longer_time_between_them_may_be_allowed(source: Path, tmp_path: Path) -> None:
    assert prepare("tum", source, tmp_path, "--within", "31") == 0
    assert len(listed(tmp_path, "train")) == 3


def test_a_sequence_by_itself_and_one_of_another_room(source: Path, tmp_path: Path) -> None:
    (tmp_path / "my_room").symlink_to(source / "rgbd_dataset_freiburg3_office")
    assert prepare("tum", tmp_path / "my_room", tmp_path / "out") == 0
    # The camera is told by the folder's own name, also behind a link.
    assert listed(tmp_path / "out", "test")[0].camera[0] == 535.4


def test_bad_input_is_told_in_a_line(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "no rgb.txt" in refused(capsys, "tum", tmp_path / "empty", tmp_path / "out")
    assert "no folder" in refused(capsys, "tum", tmp_path / "none", tmp_path / "out")
    write_text(tmp_path / "bad" / "rgb.txt", "now rgb/1.png\n")
    write_text(tmp_path / "bad" / "depth.txt", "1.0 depth/1.png\n")
    assert "'now rgb/1.png' in" in refused(capsys, "tum", tmp_path / "bad", tmp_path / "out2")
    write_text(tmp_path / "lost" / "rgb.txt", "1.0 rgb/1.png\n")
    write_text(tmp_path / "lost" / "depth.txt", "1.0 depth/1.png\n")
    assert "1.png cannot be read" in refused(capsys, "tum", tmp_path / "lost", tmp_path / "out3")


def test_depth_is_in_metres_of_the_stated_scale(source: Path, tmp_path: Path) -> None:
    write(tmp_path / "s" / "rgb" / "1.0.png", picture(0, 640, 480))
    write(tmp_path / "s" / "depth" / "1.0.png", ramp(0, 640, 480) % 50000)
    write_text(tmp_path / "s" / "rgb.txt", "1.0 rgb/1.0.png\n")
    write_text(tmp_path / "s" / "depth.txt", "1.0 depth/1.0.png\n")
    assert prepare("tum", tmp_path / "s", tmp_path / "out") == 0
    (line,) = listed(tmp_path / "out", "test")
    assert line.camera == (525.0, 525.0, 319.5, 239.5)
    assert line.units[10, 20] / float((tmp_path / "out" / "depth_scale.txt").read_text()) == pytest.approx(6420 / 5000)
