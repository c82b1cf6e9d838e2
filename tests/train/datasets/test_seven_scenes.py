"""7-Scenes, in its own layout: rooms that the renderer shows to a Kinect's two cameras."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipdepth.camera.pinhole import Intrinsics
from train.beside import colour_and_depth
from train.dataset_files import listed, prepare, refused, write, write_text

COLOUR = Intrinsics(640, 480, 525.0, 525.0, 320.0, 240.0)
DEPTH = Intrinsics(640, 480, 585.0, 585.0, 320.0, 240.0)
NO_READING = 65535


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A room of three sequences, with lists of which the test sequence is the second; one pixel has no reading."""
    room = tmp_path_factory.mktemp("7scenes") / "office"
    view, depth = colour_and_depth(3, COLOUR, DEPTH, 0.025)
    units = np.rint(depth * 1000).astype(np.uint16)
    units[240, 320] = NO_READING
    for number in (1, 2, 3):
        folder = room / f"seq-{number:02d}"
        write(folder / "frame-000000.color.png", view.frame[..., ::-1])
        write(folder / "frame-000000.depth.png", units)
    write_text(room / "TrainSplit.txt", "sequence1\nsequence3\n")
    write_text(room / "TestSplit.txt", "sequence2\n")
    write(room / "true.png", np.rint(view.depth * 1000).astype(np.uint16))
    return room.parent


def test_depth_is_the_colour_cameras(source: Path, tmp_path: Path) -> None:
    assert prepare("7scenes", source, tmp_path) == 0
    train, test = (listed(tmp_path, split) for split in ("train", "test"))
    assert [line.rgb.parent.name for line in train] == ["seq-01", "seq-03"]
    assert [line.rgb.parent.name for line in test] == ["seq-02"]
    truth = np.asarray(Image.open(source / "office" / "true.png"), np.float64)
    for line in (*train, *test):
        assert line.camera == (525.0, 525.0, 320.0, 240.0)
        known = line.units > 0
        assert 0.7 < known.mean() < 0.9
        assert (np.abs(line.units[known] / truth[known] - 1) > 0.02).mean() < 0.02
        # No reading is not 65 m.
        assert line.units.max() <= truth.max() + 1


def test_a_room_by_itself_and_a_sequence_of_no_list(source: Path, tmp_path: Path) -> None:
    assert prepare("7scenes", source / "office", tmp_path / "room") == 0
    assert [line.rgb.parent.name for line in listed(tmp_path / "room", "test")] == ["seq-02"]
    assert prepare("7scenes", source / "office" / "seq-03", tmp_path / "sequence") == 0
    assert len(listed(tmp_path / "sequence", "train")) == 1
    for number in (1, 2):
        folder = tmp_path / "mine" / f"seq-{number:02d}"
        write(folder / "frame-000000.color.png", np.zeros((480, 640, 3), np.uint8))
        write(folder / "frame-000000.depth.png", np.full((480, 640), 2000, np.uint16))
    assert prepare("7scenes", tmp_path / "mine", tmp_path / "held") == 0
    assert [line.rgb.parent.name for line in listed(tmp_path / "held", "test")] == ["seq-02"]


def test_bad_input_is_told_in_a_line(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "no frame-*.color.png" in refused(capsys, "7scenes", tmp_path / "empty", tmp_path / "out")
    folder = tmp_path / "room" / "seq-01"
    write(folder / "frame-000000.color.png", np.zeros((480, 640, 3), np.uint8))
    assert "no pair of a picture" in refused(capsys, "7scenes", tmp_path / "room", tmp_path / "out2")
    write(folder / "frame-000000.depth.png", np.ones((480, 640), np.uint16))
    write(folder / "frame-000000.color.png", np.zeros((24, 32, 3), np.uint8))
    assert "32×24 pixels" in refused(capsys, "7scenes", tmp_path / "room", tmp_path / "out3")
    write(folder / "frame-000000.color.png", np.zeros((480, 640, 3), np.uint8))
    write(folder / "frame-000000.depth.png", np.ones((24, 32), np.uint16))
    assert "depth.png is 32×24, its camera 640×480" in refused(capsys, "7scenes", tmp_path / "room", tmp_path / "out4")
