"""Pairs in our own layout whose depth is as a depth camera beside the picture's saw it, such as a Kinect's.

    FROM/train.txt, test.txt        `rgb depth fx fy cx cy` a line, or K.txt: the depth camera, pixels of its own depth

The colour camera is told by --fov, --focal-px or --calibration, and where it is by --baseline. A lens that bends is
undone in the picture. Poses beside the pictures stay where they are.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from clipdepth.camera.camera import Camera
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth.files.picture_file import picture_size
from clipdepth_train.data.datasets.files import scene_name
from clipdepth_train.data.datasets.pair import Depth, Options, Pair, Picture
from clipdepth_train.data.datasets.registered import registered
from clipdepth_train.data.datasets.straight import Straight, straight_of
from clipdepth_train.data.datasets.told import required_camera, sized_camera
from clipdepth_train.data.folder import camera_matrix, read_depth, read_frame
from clipdepth_train.data.layout import MILLIMETRES, SPLITS, stated_scale
from clipdepth_train.data.lists import PairPaths, read_list

_HEADER = 1 << 16


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    camera = required_camera(options)
    lists = [(split, source / f"{split}.txt") for split in SPLITS]
    if not any(path.is_file() for _, path in lists):
        raise DataError(f"no train.txt and no test.txt in {source}; see docs/data.md for the layout")
    scale = stated_scale(source) or MILLIMETRES
    for split, path in lists:
        if path.is_file():
            for pair in read_list(path, source, split):
                colour = _colour(camera, *_size(pair.rgb))
                read = partial(_depth, pair, scale, _depth_camera(source, pair), colour.intrinsics, options.baseline)
                picture = partial(_picture, pair.rgb, colour) if colour.bends else pair.rgb
                name = pair.rgb.stem.removeprefix("rgb_")
                yield Pair(scene_name(source, pair.rgb.parent), name, colour.intrinsics, picture, read, split)


@lru_cache(maxsize=4)
def _colour(camera: Camera, width: int, height: int) -> Straight:
    return straight_of(sized_camera(camera, width, height))


def _depth(pair: PairPaths, scale: float, seen_by: Intrinsics, wanted: Intrinsics, baseline: float) -> Depth:
    return registered(read_depth(pair.depth, scale, float("inf")), seen_by, wanted, baseline)


def _picture(path: Path, straight: Straight) -> Picture:
    return straight.picture(read_frame(path))


def _depth_camera(source: Path, pair: PairPaths) -> Intrinsics:
    width, height = _size(pair.depth)
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = camera_matrix(source)
    if pair.camera is not None:
        centre = middle if matrix is None else (matrix[0, 2], matrix[1, 2])
        return pair.camera.of(height, width, centre)
    if matrix is None:
        raise DataError(f"{source} names no depth camera; write its 'fx fy cx cy' behind each pair, or K.txt")
    return Intrinsics(width, height, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])


def _size(path: Path) -> tuple[int, int]:
    """Width and height; the writer says what is wrong with a file that has none."""
    with path.open("rb") as file:
        size = picture_size(file.read(_HEADER))
    if size == (0, 0):
        raise DataError(f"{path} is no picture, or damaged; restore it or delete its line")
    return size
