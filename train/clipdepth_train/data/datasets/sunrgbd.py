"""SUN RGB-D: a folder a picture, depth with its bits rotated by three.

    FROM/SUNRGBD/kv2/kinect2data/000002_…/image/0000103.jpg
    FROM/SUNRGBD/kv2/kinect2data/000002_…/depth/0000103.png         16 bit, rotated
    FROM/SUNRGBD/kv2/kinect2data/000002_…/intrinsics.txt            3 × 3
    FROM/SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat               5,285 to train, 5,050 to test

S. Song, S. P. Lichtenberg, J. Xiao: SUN RGB-D, CVPR 2015. Depth is what the sensors measured (not depth_bfx, which is
filled); beyond 8 m, where the toolbox cuts it off, it is unknown. All of NYU Depth v2's labelled pictures are in it, in
other splits than NYU's, so that they are left out unless they are asked for.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import scipy.io

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth.files.picture_file import PictureError, decode_picture
from clipdepth_train.data.datasets.files import read_numbers, sequences
from clipdepth_train.data.datasets.pair import Depth, Options, Pair
from clipdepth_train.data.folder import read_size
from clipdepth_train.data.sample import Split

FARTHEST = 8.0
"""Metres."""
NYU = "kv1/NYUdata"
TOP = "SUNRGBD"


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    split_of = _splits(source)
    for folder in sequences(source, "intrinsics.txt"):
        below = _below_top(folder.relative_to(source).as_posix())
        if below.startswith(NYU) and not options.with_nyu:
            continue
        if split_of and below not in split_of:
            continue
        yield _pair(folder, below, split_of.get(below))


def _pair(folder: Path, below: str, split: Split | None) -> Pair:
    picture, depth = (_only(folder / kind) for kind in ("image", "depth"))
    matrix = read_numbers(folder / "intrinsics.txt", [9]).reshape(3, 3)
    width, height = read_size(picture)
    camera = Intrinsics(width, height, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    scene, _, name = below.rpartition("/")
    return Pair(scene or "scenes", name, camera, picture, partial(read_rotated, depth), split)


def read_rotated(path: Path) -> Depth:
    """Depth, (H, W) float32 metres, of a PNG whose bits are rotated to the left by three; 0 beyond 8 m."""
    try:
        rotated = decode_picture(path.read_bytes(), cv2.IMREAD_UNCHANGED)
    except (OSError, PictureError) as error:
        raise DataError(f"{path} cannot be read ({error}); download it again") from None
    if rotated.dtype != np.uint16 or rotated.ndim != 2:
        raise DataError(f"{path} is no 16-bit grey PNG; download it again")
    # In 16 bits, what leaves on the left is gone.
    millimetres = (rotated >> np.uint16(3)) | (rotated << np.uint16(13))
    depth = np.asarray(millimetres / np.float32(1000), np.float32)
    return np.where(depth > FARTHEST, np.float32(0), depth)


def _splits(source: Path) -> dict[str, Split]:
    """The split of each folder below SUNRGBD; empty where the toolbox is not there."""
    file = next(iter(sorted(source.rglob("allsplit.mat"))), None)
    if file is None:
        return {}
    try:
        content = scipy.io.loadmat(file, squeeze_me=True)
        kinds: dict[str, Split] = {"alltrain": "train", "alltest": "test"}
        return {
            _below_top(str(path).rstrip("/")): split
            for key, split in kinds.items()
            for path in np.atleast_1d(content[key])
        }
    except Exception as error:  # scipy raises whatever its parser trips over
        raise DataError(f"{file} is damaged ({error}); get SUNRGBDtoolbox.zip again") from None


def _below_top(path: str) -> str:
    """The part of a path behind its folder SUNRGBD."""
    return path.rpartition(f"{TOP}/")[2]


def _only(folder: Path) -> Path:
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".png"))
    if len(files) != 1:
        raise DataError(f"{folder} holds {len(files)} pictures and not one; unpack SUNRGBD.zip again")
    return files[0]
