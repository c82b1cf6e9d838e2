"""Pairs in our own layout whose depth is as a depth camera beside the picture's saw it, such as a Kinect's.

    FROM/train.txt, test.txt        `rgb depth fx fy cx cy` a line, or K.txt: the depth camera, pixels of its own depth

The colour camera is told by --fov, --focal-px or --calibration, and where it is by --baseline. A lens that bends is
undone in the picture, which is then written anew, without its pose.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.camera import Camera
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth_train.data.checking.cameras import NARROWEST, WIDEST, field_of_view
from clipdepth_train.data.datasets.files import scene_name
from clipdepth_train.data.datasets.pair import Options, Pair, Picture
from clipdepth_train.data.datasets.registered import read_registered
from clipdepth_train.data.datasets.straight import Straight, straight_of
from clipdepth_train.data.datasets.told import required_camera, sized_camera
from clipdepth_train.data.folder import camera_matrix, read_frame, read_size
from clipdepth_train.data.layout import MILLIMETRES, SPLITS, stated_scale
from clipdepth_train.data.lists import PairPaths, is_possible, named_by_files, read_list
from clipdepth_train.data.sample import Split


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    camera = required_camera(options)
    scale, matrix = stated_scale(source) or MILLIMETRES, camera_matrix(source)
    for split in SPLITS:
        for pair in _named(source, split):
            colour = _colour(camera, *_size(pair.rgb))
            depth_camera = _depth_camera(source, matrix, pair)
            read = partial(read_registered, pair.depth, scale, depth_camera, colour.intrinsics, options.baseline)
            picture = partial(_picture, pair.rgb, colour) if colour.bends else pair.rgb
            name = pair.rgb.stem.removeprefix("rgb_")
            yield Pair(_scene(source, pair.rgb), name, colour.intrinsics, picture, read, split)


def _named(source: Path, split: Split) -> Iterator[PairPaths]:
    path = source / f"{split}.txt"
    return read_list(path, source, split) if path.is_file() else iter(named_by_files(source / split))


@lru_cache(maxsize=4)
def _colour(camera: Camera, width: int, height: int) -> Straight:
    return straight_of(sized_camera(camera, width, height))


def _picture(path: Path, straight: Straight) -> Picture:
    return straight.picture(read_frame(path))


def _scene(source: Path, rgb: Path) -> str:
    scene = scene_name(source, rgb.parent)
    if ".." in Path(scene).parts:
        raise DataError(f"{rgb} lies outside {source}; give the folder that holds it")
    return scene


def _depth_camera(source: Path, matrix: NDArray[np.float64] | None, pair: PairPaths) -> Intrinsics:
    """Of the depth picture, `matrix` being K.txt's; raises DataError where none is stated, or none that can be."""
    width, height = _size(pair.depth)
    if pair.camera is not None:
        middle = ((width - 1) / 2, (height - 1) / 2)
        camera = pair.camera.of(height, width, middle if matrix is None else (matrix[0, 2], matrix[1, 2]))
    elif matrix is not None:
        camera = Intrinsics(width, height, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    else:
        raise DataError(f"{source} names no depth camera; write its 'fx fy cx cy' behind each pair, or K.txt")
    stated = (camera.fx, camera.fy, camera.cx, camera.cy)
    if not is_possible(stated) or not NARROWEST <= field_of_view(width, height, camera.fx, camera.fy) <= WIDEST:
        words = " ".join(f"{value:g}" for value in stated)
        raise DataError(
            f"{pair.depth}, {width}×{height}, has a camera that cannot be, {words}; correct its line or K.txt"
        )
    return camera


def _size(path: Path) -> tuple[int, int]:
    """Width and height that the file states; raises DataError where it is missing or states none."""
    try:
        size = read_size(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); restore it or delete its line") from None
    if size == (0, 0):
        raise DataError(f"{path} is no picture, or damaged; restore it or delete its line")
    return size
