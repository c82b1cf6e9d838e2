"""What a teacher answers to a dataset's pictures: asked once and kept beside them.

    DATA/teacher/wide-0a1b2c3d/teacher.json                       which teacher
    DATA/teacher/wide-0a1b2c3d/kitchen/desk.jpg.npy               its answer to DATA/kitchen/desk.jpg
    DATA/teacher/wide-0a1b2c3d/frames-0.5s/film.mp4/000012.jpg.npy    to a frame of DATA/film.mp4

An answer is (h, w) float16, what of the teacher's own size shows the picture, see `Letterbox`: metres of the teacher's
camera, 0 where it says nothing; or, of a teacher that knows no metres, its numbers brought to 0 to 1, NaN where it says
nothing. The folder's name changes with the teacher. Every file is written whole or not at all.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from clipdepth.bundle.kind import METRIC
from clipdepth.camera.letterbox import Letterbox
from clipdepth.cli.progress import LongProgress
from clipdepth.errors import DataError
from clipdepth.files.atomic import atomic_file, write_json
from clipdepth_train.data.video_frames import BESIDE, FRAMES
from clipdepth_train.teacher.teacher import Teacher

SETTINGS = "teacher.json"
_SPEED_OVER_SECONDS = 600.0
_LARGEST = float(np.finfo(np.float16).max)


class Pictured(Protocol):
    """A set whose pictures are files in a folder."""

    folder: Path
    pictures: list[Path]

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Picture `index` as the set shows it, (H, W, 3) uint8 BGR."""


def answer_path(folder: Path, key: str, picture: Path) -> Path:
    """Where the answer to a picture of the dataset `folder` lies; raises DataError for a picture outside it."""
    inside = Path(os.path.relpath(picture, folder))
    if inside.parts[0] == os.pardir:
        raise DataError(f"{picture} lies outside {folder}, which keeps what a teacher answers to it; move it inside")
    if inside.parts[0] == BESIDE and inside.parts[1].startswith(FRAMES):  # a video's frame
        inside = inside.relative_to(BESIDE)
    return folder / BESIDE / key / inside.with_name(f"{inside.name}.npy")


def label_pictures(
    pairs: Pictured, teacher: Teacher, device: torch.device, console: Console, process: int = 0, processes: int = 1
) -> int:
    """Ask the teacher what is not answered yet, and return how many answers that were, of this process's share.

    It may be interrupted at any time, and the next call continues. Raises what loading the teacher raises, and
    DataError where a picture cannot be read.
    """
    paths = [answer_path(pairs.folder, teacher.key, picture) for picture in pairs.pictures]
    missing = {index: path for index, path in enumerate(paths) if not path.is_file() and index % processes == process}
    if missing:
        write_json(pairs.folder / BESIDE / teacher.key / SETTINGS, teacher.settings)
        _ask(pairs, missing, teacher, device, console)
    return len(missing)


def _ask(
    pairs: Pictured, missing: Mapping[int, Path], teacher: Teacher, device: torch.device, console: Console
) -> None:
    progress = LongProgress(console=console, speed_estimate_period=_SPEED_OVER_SECONDS)
    total = len(pairs.pictures)
    with teacher.load(device) as answer, progress, _continuing(console):
        bar = progress.add_task(f"labelling {pairs.folder.name}", total=total, completed=total - len(missing))
        for index, path in missing.items():
            frame = pairs.frame(index)
            height, width = frame.shape[:2]
            box = Letterbox.of(height, width, teacher.size.height, teacher.size.width)
            _write(path, kept_answer(box.inside(answer(box.picture(frame))), teacher))
            progress.advance(bar)


@contextmanager
def _continuing(console: Console) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        console.print("labelling stopped; the same command continues", highlight=False)
        raise


def kept_answer(found: NDArray[np.float32], teacher: Teacher) -> NDArray[np.float16]:
    """An answer (h, w) as it is kept, see the top of this file."""
    known = np.isfinite(found)
    if teacher.kind == METRIC:
        return np.where(known & (found > 0), found, 0).clip(0, _LARGEST).astype(np.float16)
    numbers = found[known].astype(np.float64)
    low, high = (numbers.min(), numbers.max()) if numbers.size else (0.0, 0.0)
    unit = (found.astype(np.float64) - low) / ((high - low) or 1.0)
    return np.where(known, unit, np.nan).astype(np.float16)


def read_answer(path: Path, teacher: Teacher) -> NDArray[np.float32]:
    """Read what was kept as (h, w) float32: metres, or numbers from 1 to 2; 0 where the teacher says nothing.

    Raises DataError where it is missing or damaged.
    """
    try:
        kept = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        kept = None
    if not isinstance(kept, np.ndarray) or kept.dtype != np.float16 or not _fits(kept.shape, teacher):
        found = "is damaged; delete it, and" if path.exists() else "is missing;"
        raise DataError(f"{path} {found} the same command asks the teacher again")
    answer = kept.astype(np.float32)
    return answer if teacher.kind == METRIC else np.nan_to_num(answer + 1, nan=0.0)


def _fits(shape: tuple[int, ...], teacher: Teacher) -> bool:
    """Whether a picture's answer can have that shape: as high or as wide as the teacher's, and no larger."""
    size = (teacher.size.height, teacher.size.width)
    return len(shape) == 2 and any(a == b for a, b in zip(shape, size, strict=True)) and min(shape) <= max(size)


def _write(path: Path, answer: NDArray[np.float16]) -> None:
    with atomic_file(path, durable=False) as partial, partial.open("wb") as file:
        np.save(file, answer, allow_pickle=False)
