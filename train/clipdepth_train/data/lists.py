"""Lists of RGB-D pairs: `rgb depth`, `rgb depth focal` or `rgb depth fx fy cx cy` a line."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth_train.data.sample import Split


@dataclass(frozen=True)
class ListedCamera:
    """What a line says of its picture's camera, in pixels of the picture; the centre is None where it says only f."""

    fx: float
    fy: float
    centre: tuple[float, float] | None = None

    def of(self, height: int, width: int, centre: tuple[float, float]) -> Intrinsics:
        """The camera of a picture of that size, with `centre` where the line states none."""
        return Intrinsics(width, height, self.fx, self.fy, *(self.centre or centre))


@dataclass(frozen=True)
class PairPaths:
    """Where a pair lies, and its own camera; None where the folder says which one it is."""

    rgb: Path
    depth: Path
    camera: ListedCamera | None = None


def is_possible(numbers: Sequence[float]) -> bool:
    """Whether f, or fx, fy, cx and cy, are finite and focal lengths above 0."""
    return all(math.isfinite(value) for value in numbers) and min(numbers[:2]) > 0


def pair_lines(list_file: Path) -> Iterator[tuple[str, str, list[str]]]:
    """The lines of a list that name a pair: where each stands, for messages, the line and its words.

    Lines that are empty, or have 'None' for a name as lists of the NYU test set do, are left out.
    """
    for number, line in enumerate(list_file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if words and "None" not in words[:2]:
            yield f"{list_file}:{number}", line, words


def named_by_files(folder: Path) -> list[PairPaths]:
    """Every `rgb_NAME.jpg` (or .png) below `folder` with the `sync_depth_NAME.png` beside it, which may be missing."""
    pictures = sorted(p for p in folder.rglob("rgb_*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [PairPaths(p, p.with_name(f"sync_depth_{p.stem.removeprefix('rgb_')}.png")) for p in pictures]


def read_list(list_file: Path, folder: Path, split: Split) -> Iterator[PairPaths]:
    """The pairs of a list, whose names are relative to `folder/split` or to `folder`, see `pair_lines`.

    Raises DataError for a line that is none of the three forms, a camera that cannot be, or a file that is missing.
    """
    for where, line, words in pair_lines(list_file):
        if len(words) not in (2, 3, 6):
            raise DataError(f"{where}: '{line}' is not 'rgb depth [focal]' or 'rgb depth fx fy cx cy'; correct it")
        rgb, depth = (_resolve(folder, split, name) for name in words[:2])
        pair = PairPaths(rgb, depth, _camera(words[2:], where))
        for path in (pair.rgb, pair.depth):
            if not path.is_file():
                raise DataError(f"{where}: {path} is missing; restore it or delete the line")
        yield pair


def _camera(words: list[str], where: str) -> ListedCamera | None:
    if not words:
        return None
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise DataError(f"{where}: '{' '.join(words)}' are not numbers of a camera; correct them") from None
    if not is_possible(values):
        raise DataError(f"{where}: no camera has {' '.join(words)} (focal lengths are above 0); correct it")
    if len(values) == 1:
        return ListedCamera(values[0], values[0])
    fx, fy, cx, cy = values
    return ListedCamera(fx, fy, (cx, cy))


def _resolve(folder: Path, split: Split, name: str) -> Path:
    relative = name.lstrip("/")
    inside = folder / split / relative
    return inside if inside.is_file() else folder / relative
