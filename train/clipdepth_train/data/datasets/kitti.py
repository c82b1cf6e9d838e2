"""KITTI by Eigen's split: the depth of accumulated laser scans, at 256 units a metre, to some 80 m.

    FROM/2011_09_26/calib_cam_to_cam.txt
    FROM/2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005.png                     or .jpg
    FROM/[data_depth_annotated/][train/]2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png
    LISTS/eigen_train_files_with_gt.txt, eigen_test_files_with_gt.txt       BTS's `rgb depth focal`
    LISTS/train_files.txt, test_files.txt                                   or Monodepth2's `drive frame l|r`

A. Geiger, P. Lenz, C. Stiller, R. Urtasun: Vision meets Robotics, IJRR 2013; J. Uhrig et al.: Sparsity Invariant CNNs,
3DV 2017; D. Eigen, C. Puhrsch, R. Fergus, NIPS 2014. Files are listed where they lie. Pictures without depth (the first
and last five of a drive) are left out. Cameras are P_rect_02 and P_rect_03, for rectified pictures.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth_train.data.datasets.files import read_lines
from clipdepth_train.data.datasets.pair import Options, Pair
from clipdepth_train.data.sample import Split

LISTS: dict[Split, tuple[str, ...]] = {
    "train": ("eigen_train_files_with_gt.txt", "kitti_eigen_train_files_with_gt.txt", "train_files.txt"),
    "test": ("eigen_test_files_with_gt.txt", "kitti_eigen_test_files_with_gt.txt", "test_files.txt"),
}
SIDES = {"l": "image_02", "r": "image_03"}
CALIBRATION = "calib_cam_to_cam.txt"
_DEPTH_PLACES = ("", "data_depth_annotated", "gts")
_FOLDS = ("train", "val", "")


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    lists = options.lists or source
    for split, names in LISTS.items():
        file = next((lists / name for name in names if (lists / name).is_file()), None)
        if file is None:
            raise DataError(
                f"no {' or '.join(names)} in {lists}; take Eigen's lists from BTS's train_test_inputs or Monodepth2's "
                "splits/eigen_zhou and eigen, and say where with --lists"
            )
        for line in read_lines(file):
            pair = _pair(source, line, split, file)
            if pair is not None:
                yield pair


def _pair(source: Path, line: str, split: Split, file: Path) -> Pair | None:
    """The pair that a line names; None where the dataset has no depth for it."""
    drive, side, number = _named(line, file)
    depth = _depth(source, drive, side, number)
    if depth is None:
        return None
    folder = source / drive / side / "data"
    picture = next((path for suffix in (".png", ".jpg") if (path := folder / f"{number}{suffix}").is_file()), None)
    if picture is None:
        raise DataError(f"{folder / number}.png, listed in {file}, is missing; download {drive} again")
    return Pair(
        f"{drive}/{side}", number, _camera(source / Path(drive).parts[0] / CALIBRATION, side), picture, depth, split
    )


def _named(line: str, file: Path) -> tuple[str, str, str]:
    """A line's drive, as date/drive, its image_02 or image_03, and its frame's ten digits."""
    words = line.split()
    if len(words) == 3 and words[2] in SIDES and words[1].isdecimal():
        return words[0], SIDES[words[2]], words[1].zfill(10)
    parts = Path(words[0]).parts
    if len(parts) == 5 and parts[2] in SIDES.values() and parts[3] == "data":
        return f"{parts[0]}/{parts[1]}", parts[2], Path(parts[4]).stem
    raise DataError(f"'{line}' in {file} names no picture of KITTI; download the list again")


def _depth(source: Path, drive: str, side: str, number: str) -> Path | None:
    below = Path(Path(drive).name) / "proj_depth" / "groundtruth" / side / f"{number}.png"
    places = (source / place / fold / below for place in _DEPTH_PLACES for fold in _FOLDS)
    return next((path for path in places if path.is_file()), None)


@lru_cache(maxsize=32)
def _camera(path: Path, side: str) -> Intrinsics:
    values = {key: words.split() for key, _, words in (line.partition(":") for line in read_lines(path))}
    number = side.removeprefix("image_")
    try:
        p = np.array(values[f"P_rect_{number}"], float).reshape(3, 4)
        width, height = (round(float(value)) for value in values[f"S_rect_{number}"])
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} has no P_rect_{number} and S_rect_{number} ({error!r}); download it again") from None
    return Intrinsics(width, height, p[0, 0], p[1, 1], p[0, 2], p[1, 2])
