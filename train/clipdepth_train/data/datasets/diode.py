"""DIODE: a laser scanner's depth, indoors and outdoors, in NumPy files.

    FROM/train/indoors/scene_00000/scan_00000/00000_00000_indoors_000_010.png               1024×768
    FROM/train/indoors/scene_00000/scan_00000/00000_00000_indoors_000_010_depth.npy         float32 metres, (H, W, 1)
    FROM/train/indoors/scene_00000/scan_00000/00000_00000_indoors_000_010_depth_mask.npy    1 where it is valid

I. Vasiljevic et al.: DIODE, arXiv 1908.00463. `val` is what is tested on. The devkit states one camera, whose pixels
are not square; its principal point is counted from the picture's corner. Depth is taken to be along the axis.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth_train.data.datasets.files import scene_name
from clipdepth_train.data.datasets.pair import Depth, Options, Pair
from clipdepth_train.data.sample import Split

CAMERA = Intrinsics(1024, 768, 886.81, 927.06, 511.5, 383.5)
"""intrinsics.txt of the devkit: 886.81, 927.06, 512, 384."""
SPLITS: dict[str, Split] = {"train": "train", "val": "test"}


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    depths = sorted(source.rglob("*_depth.npy"))
    if not depths:
        raise DataError(f"no *_depth.npy in {source} or below it; unpack train.tar.gz and val.tar.gz there")
    for depth in depths:
        stem = depth.name.removesuffix("_depth.npy")
        folder = depth.parent
        split = next((SPLITS[part] for part in reversed(folder.resolve().parts) if part in SPLITS), None)
        # The scans of one scene are of one place.
        place = scene_name(source, folder.parent) if folder != source else ""
        read = partial(read_depth, depth, folder / f"{stem}_depth_mask.npy")
        yield Pair(scene_name(source, folder), stem, CAMERA, folder / f"{stem}.png", read, split, place)


def read_depth(path: Path, mask: Path) -> Depth:
    """The depth in a file, (H, W) float32 metres, 0 where its mask says that it is not valid."""
    depth, valid = _array(path), _array(mask)
    if depth.shape != (CAMERA.height, CAMERA.width) or valid.shape != depth.shape:
        raise DataError(
            f"{path} and its mask are {depth.shape} and {valid.shape}, not (768, 1024); download them again"
        )
    return np.where(valid > 0, depth, 0).astype(np.float32)


def _array(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is missing or damaged ({error}); download it again") from None
    return np.asarray(array[..., 0] if array.ndim == 3 else array)
