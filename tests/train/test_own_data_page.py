"""The commands of docs/own-data.md, in their order, on recordings of rooms in the formats that it names."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from clipdepth.bundle.folder import open_bundle
from clipdepth.cli import main
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.rooms.frame import RgbdFrame
from train.dataset_files import listed, write, write_text

pytest.importorskip("rosbags")

from ros_bags import COLOUR, DEPTH, INFO, Message, camera_info, image, write_bag
from train.stray_files import write_recording

PAGE = Path(__file__).parents[2] / "docs" / "own-data.md"
HEIGHT, WIDTH, FRAMES = 120, 160, 10
PINHOLE = default_intrinsics(HEIGHT, WIDTH)
# Appended to the page's commands, so that they take seconds; what is said last counts.
SMALLER = {
    "train": "--epochs 1 --batch-size 4 --frames.height 64 --frames.width 64 --frames.workers 0 --cache-gb 0",
    "run": "--engine onnxruntime",
}


def views(seed: int) -> list[RgbdFrame]:
    room = Room(seed)
    return [room.render(1.5 * index, PINHOLE) for index in range(FRAMES)]


def rgb(view: RgbdFrame) -> np.ndarray:
    return np.ascontiguousarray(view.frame[..., ::-1])


def millimetres(view: RgbdFrame) -> np.ndarray:
    return np.rint(view.depth * 1000).astype(np.uint16)


def write_realsense(folder: Path, seen: Sequence[RgbdFrame]) -> None:
    for index, view in enumerate(seen):
        write(folder / "color" / f"{index:06d}.jpg", rgb(view))
        write(folder / "depth" / f"{index:06d}.png", millimetres(view))
    matrix = [PINHOLE.fx, 0, 0, 0, PINHOLE.fy, 0, PINHOLE.cx, PINHOLE.cy, 1]
    about = f'{{"width": {WIDTH}, "height": {HEIGHT}, "intrinsic_matrix": {matrix}}}'
    write_text(folder / "camera_intrinsic.json", about)


def write_walk(folder: Path, seen: Sequence[RgbdFrame]) -> None:
    camera = (PINHOLE.fx, PINHOLE.fy), (PINHOLE.cx, PINHOLE.cy)
    messages: list[Message] = [(INFO, 1.0, camera_info(1.0, (WIDTH, HEIGHT), *camera))]
    for index, view in enumerate(seen):
        time = 1 + 0.1 * index
        messages.append((COLOUR, time, image(time, "rgb8", rgb(view))))
        messages.append((DEPTH, time, image(time, "16UC1", millimetres(view))))
    folder.parent.mkdir()
    write_bag(folder, messages)


def write_plain(folder: Path, seen: Sequence[RgbdFrame]) -> None:
    for index, view in enumerate(seen):
        room = folder / ("test/b" if index < 2 else "train/a")
        write(room / f"rgb_{index}.jpg", rgb(view))
        write(room / f"sync_depth_{index}.png", millimetres(view))
    np.savetxt(folder / "K.txt", PINHOLE.matrix)


def write_film(path: Path, seen: Sequence[RgbdFrame]) -> None:
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (WIDTH, HEIGHT))
    for view in seen[:3]:
        film.write(view.frame)
    film.release()


def commands() -> list[list[str]]:
    """The page's commands, without `clipdepth`."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    lines = [shlex.split(line, comments=True) for kind, block in blocks if not kind for line in block.splitlines()]
    assert lines.pop(0)[:2] == ["pip", "install"]
    assert all(line[0] == "clipdepth" for line in lines)
    return [line[1:] for line in lines]


@pytest.mark.slow
def test_the_pages_commands_lead_to_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_realsense(Path("realsense/one"), views(0))
    write_recording(Path("stray/71de12f9"), FRAMES, views=views(1))
    write_walk(Path("bags/walk"), views(2))
    write_plain(Path("shop"), views(3))
    write_film(Path("hall.mp4"), views(1))
    told = commands()
    assert [words[0] for words in told].count("data") == 7
    for words in told:
        extra = SMALLER.get(words[0], "").split()
        # Half precision and int8 are other tests' business, and take minutes.
        plain = [word for word in words if word != "int8"]
        plain = ["fp32" if word == "fp16" else word for word in plain]
        assert main([*plain, *extra]) == 0, words
    for name in ("desk", "walk"):
        assert listed(Path(name), "train")[0].camera[0] == pytest.approx(PINHOLE.fx, abs=1e-4)
    bundle = open_bundle(Path("mine.bundle"))
    assert bundle.manifest.camera is not None
    # The first set's camera, in pixels of the small input.
    assert bundle.manifest.camera.fx == pytest.approx(PINHOLE.fx * 64 / WIDTH, rel=1e-4)
    assert len(list(Path("depth").rglob("*.png"))) == 3
