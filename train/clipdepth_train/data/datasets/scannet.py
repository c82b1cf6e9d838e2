"""ScanNet's frames as its SensReader exports them; colour is brought to the depth camera.

    FROM/scene0000_00/color/0.jpg                           1296×968
    FROM/scene0000_00/depth/0.png                           640×480, millimetres
    FROM/scene0000_00/intrinsic/intrinsic_color.txt         4 × 4, likewise intrinsic_depth.txt
    FROM/scannetv2_train.txt, scannetv2_val.txt             ScanNet's split, if they are there

A. Dai, A. X. Chang, M. Savva, M. Halber, T. Funkhouser, M. Nießner: ScanNet, CVPR 2017. The cameras look the same way
but see a little less or more, so that the picture is made smaller and then moved to the depth camera's pinhole. Depth
is listed where it lies. Scans of one place (scene0000_00, scene0000_01) are in one split.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth.sources.folder import natural_order
from clipdepth_train.data.datasets.files import read_lines, read_numbers, scene_name, sequences
from clipdepth_train.data.datasets.pair import Options, Pair, Picture
from clipdepth_train.data.folder import read_frame, read_size
from clipdepth_train.data.sample import Split

LISTS: dict[str, Split] = {"scannetv2_train.txt": "train", "scannetv2_val.txt": "test"}


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    split_of = _splits(source)
    for matrix in sequences(source, "intrinsic_depth.txt"):
        folder = matrix.parent
        name = folder.resolve().name
        if not split_of or name in split_of:
            yield from _scan(source, folder, split_of.get(name))


def _scan(source: Path, folder: Path, split: Split | None) -> Iterator[Pair]:
    depths = sorted((folder / "depth").glob("*.png"), key=lambda path: natural_order(path.name))
    if not depths:
        raise DataError(f"no depth/*.png in {folder}; export it with SensReader's --export_depth_images")
    depth_camera = _camera(folder, "depth", depths[0])
    colour_camera = _camera(folder, "color", folder / "color" / f"{depths[0].stem}.jpg")
    place = folder.resolve().name.rpartition("_")[0]
    for depth in depths:
        picture = _moved(folder / "color" / f"{depth.stem}.jpg", colour_camera, depth_camera)
        yield Pair(scene_name(source, folder), depth.stem.zfill(5), depth_camera, picture, depth, split, place)


def _splits(source: Path) -> dict[str, Split]:
    return {
        scan: split for name, split in LISTS.items() if (source / name).is_file() for scan in read_lines(source / name)
    }


def _camera(folder: Path, which: str, picture: Path) -> Intrinsics:
    matrix = read_numbers(folder / "intrinsic" / f"intrinsic_{which}.txt", [16]).reshape(4, 4)
    if not picture.is_file():
        raise DataError(f"no {picture}; export it with SensReader's --export_{which}_images")
    width, height = read_size(picture)
    return Intrinsics(width, height, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])


def _moved(path: Path, colour: Intrinsics, depth: Intrinsics) -> Callable[[], Picture]:
    return partial(seen_by, path, colour, depth)


def seen_by(path: Path, colour: Intrinsics, depth: Intrinsics) -> Picture:
    """The picture at `path` as the depth camera sees it, (H, W, 3) uint8 BGR of its size; the rim is repeated."""
    frame = read_frame(path)
    if frame.shape[:2] != (colour.height, colour.width):
        raise DataError(f"{path} is {frame.shape[1]}×{frame.shape[0]}, others are {colour.width}×{colour.height}")
    small = cv2.resize(frame, (depth.width, depth.height), interpolation=cv2.INTER_AREA)
    # From a pixel of the depth camera to that of the smaller picture.
    matrix = colour.resized(depth.width, depth.height).matrix @ np.linalg.inv(depth.matrix)
    size = (depth.width, depth.height)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(small, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)
