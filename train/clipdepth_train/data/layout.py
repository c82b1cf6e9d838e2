"""The usual folder layout of RGB-D frames, as BTS's conversion of NYU Depth v2 writes it.

    OUT/K.txt                                            3 × 3, pixels
    OUT/train.txt                                        `rgb depth focal` a line, relative to OUT/train
    OUT/train/kitchen/rgb_00045.jpg
    OUT/train/kitchen/sync_depth_00045.png               16 bit, millimetres, 0 for no reading
    OUT/train/kitchen/dense/sync_depth_dense_00045.png   in-painted, where known
    OUT/train/kitchen/pose_00045.txt                     4 × 4 camera to world, metres, where known

and the same for test. Every file is written whole or not at all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import ClipdepthError, DataError, OutputError
from clipdepth.files.atomic import atomic_file, make_folder
from clipdepth_train.data.sample import Split

SPLITS: tuple[Split, ...] = ("train", "test")
JPEG_QUALITY = 95
MILLIMETRES = 1000.0
"""Units of a depth PNG a metre, where nothing else is said."""
DEPTH_SCALE = "depth_scale.txt"
"""The file in which a folder states another number of units."""
_LARGEST = 65534


@dataclass(frozen=True)
class FrameFiles:
    """Where the files of one frame lie below the layout's top folder, `out`."""

    out: Path
    split: str
    scene: str
    index: int

    @property
    def folder(self) -> Path:
        return self.out / self.split / self.scene

    @property
    def rgb(self) -> Path:
        return self.folder / f"rgb_{self.index:05d}.jpg"

    @property
    def depth(self) -> Path:
        return self.folder / f"sync_depth_{self.index:05d}.png"

    @property
    def dense_depth(self) -> Path:
        return self.folder / "dense" / f"sync_depth_dense_{self.index:05d}.png"

    @property
    def pose(self) -> Path:
        return self.folder / f"pose_{self.index:05d}.txt"


def write_rgb(path: Path, frame: NDArray[np.uint8]) -> None:
    """Write a frame, (H, W, 3) uint8 BGR, as JPEG."""
    _write_image(path, frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def write_depth(path: Path, depth: NDArray[np.float32], scale: float = MILLIMETRES) -> None:
    """Write depth, (H, W) float32 metres, as 16-bit PNG of `scale` units a metre, rounded to the nearest.

    Not finite, negative and above 65534 units (65.534 m in millimetres) become 0, no reading. (BTS's conversion rounds
    down, so its files are up to a millimetre nearer.)
    """
    units = np.rint(np.nan_to_num(depth.astype(np.float64), posinf=0, neginf=0) * scale)
    known = (units > 0) & (units <= _LARGEST)
    _write_image(path, np.where(known, units, 0).astype(np.uint16), [])


def write_pose(path: Path, pose: NDArray[np.float64]) -> None:
    """Write a pose, (4, 4) camera to world in metres, as text."""
    _write_matrix(path, pose)


def write_intrinsics(out: Path, intrinsics: Intrinsics) -> None:
    """Write `out`/K.txt."""
    _write_matrix(out / "K.txt", intrinsics.matrix)


def write_lists(out: Path, frames: Sequence[FrameFiles], focal: float) -> None:
    """Write `out`/train.txt and `out`/test.txt, in the order of `frames`; `focal` in pixels."""
    for split in SPLITS:
        lines = (_line(files, focal) for files in frames if files.split == split)
        _write(out / f"{split}.txt", "".join(lines).encode())


def remove_lists(out: Path) -> None:
    """Remove the lists of an earlier run, before its frames are written over; `out` is made if absent."""
    make_folder(out)
    for split in SPLITS:
        (out / f"{split}.txt").unlink(missing_ok=True)


def _line(files: FrameFiles, focal: float) -> str:
    return f"{files.scene}/{files.rgb.name} {files.scene}/{files.depth.name} {round(focal, 4)}\n"


def _write_image(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16], options: list[int]) -> None:
    # Encoded here and written by Python, since cv2.imwrite does not say why it could not write.
    encoded, data = cv2.imencode(path.suffix, image, options)
    if not encoded:
        raise OutputError(f"cannot encode {path} from {image.dtype} {image.shape}")
    _write(path, data.tobytes())


def _write_matrix(path: Path, matrix: NDArray[np.float64]) -> None:
    text = StringIO()
    np.savetxt(text, matrix)
    _write(path, text.getvalue().encode())


def _write(path: Path, data: bytes) -> None:
    try:
        with atomic_file(path) as partial:
            partial.write_bytes(data)
    except ClipdepthError:
        raise
    except OSError as error:
        remedy = "free some space or choose another place, then run the same command again"
        raise OutputError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error


def stated_scale(folder: Path) -> float | None:
    """Units of its depth PNGs a metre that a folder states; None where it states none.

    Raises DataError for a file that holds no such number.
    """
    path = folder / DEPTH_SCALE
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8").strip()
    try:
        stated = float(text)
    except ValueError:
        stated = 0.0
    if not 0 < stated < math.inf:
        raise DataError(f"{path} says '{text}', which is no number of units a metre; correct it")
    return stated
