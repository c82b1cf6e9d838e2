"""The tutorial of docs/python.md runs as it stands, in a folder with the pictures it names."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import clipdepth
from clipdepth.rooms import Room, default_intrinsics

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_dir_shows_every_name_of_the_page() -> None:
    named = set(re.findall(r"\bclipdepth\.(\w+)", PAGE.read_text(encoding="utf-8")))
    assert {"Camera", "CameraMode", "DepthFrame", "load", "stream"} <= named
    assert named <= set(dir(clipdepth))


def test_the_pages_code_runs(blocks: list[str], tmp_path: Path) -> None:
    room, pinhole = Room(0), default_intrinsics(120, 160)
    pictures = [room.render(0.1 * index, pinhole).frame for index in range(3)]
    cv2.imwrite(str(tmp_path / "room.png"), pictures[0])
    writer = cv2.VideoWriter(str(tmp_path / "room.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (160, 120))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    assert len(blocks) == 2
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    first, *rest = ended.stdout.splitlines()
    shape, metres, unit = re.match(r"(\(.*\)) (\S+) (\S+)", first).groups()  # type: ignore[union-attr]
    assert (shape, unit) == ("(120, 160)", "metres")
    assert 0.5 < float(metres) < 10
    assert [int(line.split()[0]) for line in rest] == [0, 1, 2]
    assert np.all([0.3 < float(line.split()[2]) < 10 for line in rest])
