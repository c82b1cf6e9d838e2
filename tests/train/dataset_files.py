"""Datasets in miniature for tests, written by Pillow, and what `clipdepth data prepare` makes of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clipdepth.cli import main


def picture(value: int, width: int, height: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, all the same, so that JPEG keeps it; red is `value`, green and blue are 100 and 50."""
    return np.full((height, width, 3), (value, 100, 50), np.uint8)


def ramp(first: int, width: int, height: int) -> NDArray[np.uint16]:
    """(H, W) uint16, each pixel another number, from `first` on."""
    return (first + np.arange(width * height).reshape(height, width)).astype(np.uint16)


def write(path: Path, pixels: NDArray[np.generic]) -> Path:
    """Write a picture, RGB or 16-bit grey, as its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
    Image.fromarray(np.asarray(pixels)).save(path, **options)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a text file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@dataclass(frozen=True)
class Listed:
    """A line of a prepared list, and what its files hold."""

    rgb: Path
    depth: Path
    camera: tuple[float, ...]
    """fx, fy, cx, cy."""

    @property
    def colour(self) -> tuple[int, ...]:
        """The picture's middle pixel, red, green and blue."""
        pixels = np.asarray(Image.open(self.rgb))
        return tuple(int(value) for value in pixels[pixels.shape[0] // 2, pixels.shape[1] // 2])

    @property
    def units(self) -> NDArray[np.int64]:
        """The depth file's numbers, (H, W)."""
        return np.asarray(Image.open(self.depth), np.int64)


def prepare(name: str, source: Path, out: Path, *options: str) -> int:
    """The exit status of `clipdepth data prepare NAME`."""
    return main(["data", "prepare", name, "--from", str(source), "--out", str(out), *options])


def listed(out: Path, split: str) -> list[Listed]:
    """The lines of a list."""
    found = []
    for line in (out / f"{split}.txt").read_text().splitlines():
        rgb, depth, *camera = line.split()
        assert len(camera) == 4
        found.append(Listed(out / rgb, out / depth, tuple(map(float, camera))))
    return found


def refused(capsys: pytest.CaptureFixture[str], name: str, source: Path, out: Path, *options: str) -> str:
    """What `prepare` says on stderr, in one line that names the dataset, where it refuses; no list is written."""
    capsys.readouterr()
    assert prepare(name, source, out, *options) == 1
    *_, line = capsys.readouterr().err.strip().splitlines()
    assert f"{name}: " in line
    assert "; " in line, "there is no remedy"
    assert not (out / "train.txt").exists()
    return line
