"""Pictures and videos without depth, as a set of pairs whose depth is unknown."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import DataError
from clipdepth.sources.folder import IMAGE_SUFFIXES, VIDEO_SUFFIXES, colour_images, natural_order
from clipdepth_train.data.folder import BLOCK, read_frame
from clipdepth_train.data.sample import RgbdPair, Split, View
from clipdepth_train.data.video_frames import BESIDE, is_kept, video_frames

HELD_OUT = 10
"""Of so many neighbouring blocks one is held out."""
FEWEST = 10
_KEPT = (BESIDE, "segments")


class PictureSet:
    """The pictures in a folder and those below it, and a frame every so many seconds of each video; or of one file.

    In a folder with pictures named rgb_* only those count; PNG files of 16 bits are depth. `split` leaves out every
    tenth block of neighbours, or gives those blocks; None gives all. `focal` is NaN: nobody knows the camera. Raises
    DataError where there is no picture, or too few to split, and SourceError for a video that cannot be read.
    """

    def __init__(self, named: Path, every: float, split: Split | None = None) -> None:
        self.folder = named if named.is_dir() else named.parent
        pictures, videos = _found(named) if named.is_dir() else _alone(named)
        self.pictures = _part([*pictures, *video_frames(self.folder, videos, every)], split, named)
        height, width = self.frame(0).shape[:2]
        self.picture_size = (height, width)
        self.focal = (float("nan"), float("nan"))
        self.centre = ((width - 1) / 2, (height - 1) / 2)
        self.shuffle_window = len(self.pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> RgbdPair:
        frame = self.frame(index)
        return RgbdPair(frame, np.zeros(frame.shape[:2], np.float32))

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Picture `index` alone, (H, W, 3) uint8 BGR; raises DataError where it cannot be decoded."""
        return read_frame(self.pictures[index])

    def neighbour(self, index: int, after: bool) -> View:
        """See RgbdSet: there is none."""
        raise DataError(f"{self.pictures[index]} has no pose; --view.kind neighbour is for datasets with poses")


def _found(folder: Path) -> tuple[list[Path], list[Path]]:
    pictures, videos = list[Path](), list[Path]()
    for place, below, names in os.walk(folder):
        here = Path(place)
        below[:] = sorted(
            (name for name in below if not name.startswith(".") and not (name in _KEPT and _is_ours(here / name))),
            key=natural_order,
        )
        pictures += [path for path in colour_images(here) if not path.name.startswith(".")]
        found = (Path(place, name) for name in sorted(names, key=natural_order) if not name.startswith("."))
        videos += [path for path in found if path.suffix.lower() in VIDEO_SUFFIXES]
    if not pictures and not videos:
        raise DataError(
            f"{folder} has no RGB-D pairs (train.txt or train/), no picture ({', '.join(IMAGE_SUFFIXES)}) and no video"
        )
    return pictures, videos


def _is_ours(folder: Path) -> bool:
    return is_kept(folder) or any(folder.glob("*/sam.json"))


def _alone(file: Path) -> tuple[list[Path], list[Path]]:
    return ([file], []) if file.suffix.lower() in IMAGE_SUFFIXES else ([], [file])


def _part(pictures: list[Path], split: Split | None, named: Path) -> list[Path]:
    if split is None:
        return pictures
    if len(pictures) < FEWEST:
        raise DataError(f"{named} has {len(pictures)} pictures, too few to hold out a tenth; {FEWEST} are needed")
    block = max(1, min(BLOCK, len(pictures) // HELD_OUT))
    held = [index // block % HELD_OUT == HELD_OUT // 2 for index in range(len(pictures))]
    return [picture for picture, out in zip(pictures, held, strict=True) if out == (split == "test")]
