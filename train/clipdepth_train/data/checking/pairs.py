"""The pairs that a folder names, whole or not: what training refuses at the first fault is read to the end here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipdepth.errors import DataError
from clipdepth_train.data.layout import MILLIMETRES, SPLITS, stated_scale
from clipdepth_train.data.lists import named_by_files, pair_lines


@dataclass(frozen=True)
class NamedPair:
    """A pair as a list or the names of its files say."""

    split: str
    where: str
    """The line of the list, or the picture."""
    rgb: Path
    depth: Path
    numbers: tuple[float, ...] = ()
    """What the line says of the camera: nothing, the focal length, or fx, fy, cx and cy, pixels."""


@dataclass(frozen=True)
class BadLine:
    """A line that names no pair."""

    where: str
    text: str


def named_pairs(folder: Path) -> list[NamedPair | BadLine]:
    """The pairs of both splits; raises DataError where there is neither a list nor a folder of one."""
    if not folder.is_dir():
        raise DataError(f"no data at {folder}; give a folder of RGB-D pairs")
    found = [pair for split in SPLITS for pair in _of_split(folder, split)]
    if not found:
        raise DataError(
            f"{folder} has no pairs: neither train.txt and test.txt, nor train/ROOM/rgb_NAME.jpg with "
            "sync_depth_NAME.png beside it, and the same in test/; 'clipdepth data prepare' writes them"
        )
    return found


def scale_of(folder: Path, told: float | None) -> float:
    """Units of the depth PNGs a metre: what is told, what the folder states, or a thousand."""
    return told or stated_scale(folder) or MILLIMETRES


def _of_split(folder: Path, split: str) -> Iterator[NamedPair | BadLine]:
    file = folder / f"{split}.txt"
    if file.is_file():
        yield from _listed(folder, split, file)
        return
    for pair in named_by_files(folder / split):
        yield NamedPair(split, str(pair.rgb), pair.rgb, pair.depth)


def _listed(folder: Path, split: str, file: Path) -> Iterator[NamedPair | BadLine]:
    for where, line, words in pair_lines(file):
        numbers = _numbers(words[2:])
        if len(words) not in (2, 3, 6) or numbers is None:
            yield BadLine(where, line)
        else:
            rgb, depth = (_resolved(folder, split, word) for word in words[:2])
            yield NamedPair(split, where, rgb, depth, numbers)


def _numbers(words: list[str]) -> tuple[float, ...] | None:
    try:
        return tuple(map(float, words))
    except ValueError:
        return None


def _resolved(folder: Path, split: str, name: str) -> Path:
    inside, beside = (place / name.lstrip("/") for place in (folder / split, folder))
    # One that is missing is named where its folder is.
    return inside if inside.is_file() or (inside.parent.is_dir() and not beside.is_file()) else beside
