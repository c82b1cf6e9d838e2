"""A folder of RGB-D pairs in the layout of the usual NYU Depth v2 conversion."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import DataError
from clipdepth.files.picture_file import PictureError, decode_picture, picture_size
from clipdepth_train.data.crop import INNER, NYU_SIZE, has_frame
from clipdepth_train.data.layout import stated_scale
from clipdepth_train.data.lists import PairPaths, named_by_files, read_list
from clipdepth_train.data.poses import between, neighbour_of
from clipdepth_train.data.sample import RgbdPair, Split, View

LOG = logging.getLogger(__name__)
NO_READING = 65535
_HEADER = 1 << 16
"""Bytes of a picture within which its size is stated, whatever else its header holds."""
BLOCK = 20
"""Neighbouring pairs that are held out together."""
FRAMED = 3
"""How many pictures are looked at for NYU's frame."""
NYU_FOCAL, NYU_CENTRE = 518.8579, 325.5824
"""fx and cx of NYU Depth v2's colour camera, pixels of its 640×480 pictures."""
# A Kinect's, as a share of the picture's width.
KINECT_FOCAL = 518.86 / 640


class FolderSet:
    """The pairs of `folder`'s split.

    `folder/train.txt` and `folder/test.txt` list pairs, see `read_list`. Without a list, every `rgb_NAME.jpg` (or .png)
    below `folder/SPLIT` is paired with the `sync_depth_NAME.png` beside it. Depth is a 16-bit PNG of `scale` units a
    metre, or of those in `folder/depth_scale.txt`, in which 0, 65535 and anything beyond `max_depth` metres mean
    unknown. With `dense`, the in-painted depth in the subfolder `dense` is taken where it is there. NYU's white or
    blackened frame, where the first pictures have it, is cut away from all of that size.

    A pair's camera is its line's. `focal`, `centre` and `picture_size` are those of the first pair; where its line says
    nothing they come from `K.txt`, or are a Kinect's, and are those of every pair without a camera of its own.

    `segments` reads a picture's segmentation, where one is wanted. With `held_out`, every so-many-th block of 20
    neighbouring training pairs is kept from training and is what `test` opens, so that recipes can be chosen without
    the test pairs.

    Raises DataError where the folder is missing or empty, a pair is incomplete, or a file cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        split: Split,
        scale: float,
        max_depth: float,
        dense: bool = False,
        segments: Callable[[Path], NDArray[np.uint8]] | None = None,
        held_out: int = 0,
    ) -> None:
        if not folder.is_dir():
            raise DataError(f"no data at {folder}; give a folder of RGB-D pairs, or 'rooms'")
        source: Split = "train" if held_out else split
        list_file = folder / f"{source}.txt"
        listed = list_file.is_file()
        self._pairs = list(read_list(list_file, folder, source)) if listed else _scanned(folder / source)
        if held_out:
            self._pairs = _part(self._pairs, held_out, split)
        if not self._pairs:
            raise DataError(f"{list_file if listed else folder / source} names no pair of pictures")
        if dense:
            self._pairs = [replace(pair, depth=_dense(pair.depth)) for pair in self._pairs]
        self.folder = folder
        self.pictures = [pair.rgb for pair in self._pairs]
        self.shuffle_window = len(self._pairs)
        self._scale, self._max_depth, self._segments = stated_scale(folder) or scale, max_depth, segments
        seen = [read_frame(path) for path in self.pictures[:FRAMED]]
        self._crop = INNER if all(has_frame(picture) for picture in seen) else None
        height, width = seen[0].shape[:2]
        camera = self._pairs[0].camera
        self._centre = _centre(folder, height, width)
        self.focal = (camera.fx, camera.fy) if camera else _focal(folder, width)
        centre = (camera and camera.centre) or self._centre
        self.centre = centre if self._crop is None else (centre[0] - self._crop.left, centre[1] - self._crop.top)
        self.picture_size = (height, width) if self._crop is None else self._crop.size

    @property
    def is_nyu(self) -> bool:
        """Whether the pictures are NYU Depth v2's, which their size and their camera tell."""
        left = INNER.left if self.picture_size == INNER.size else 0
        camera = self.focal[0] - NYU_FOCAL, self.centre[0] + left - NYU_CENTRE
        return self.picture_size in (NYU_SIZE, INNER.size) and max(map(abs, camera)) < 0.01

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> RgbdPair:
        pair = self._pairs[index]
        frame = read_frame(pair.rgb)
        depth = read_depth(pair.depth, self._scale, self._max_depth)
        if frame.shape[:2] != depth.shape:
            sizes = f"{frame.shape[1]}×{frame.shape[0]} and {depth.shape[1]}×{depth.shape[0]}"
            raise DataError(f"{pair.rgb} and {pair.depth} differ in size ({sizes}); they have to be registered")
        camera = pair.camera.of(frame.shape[0], frame.shape[1], self._centre) if pair.camera else None
        whole = RgbdPair(frame, depth, self._segments(pair.rgb) if self._segments else None, None, camera)
        return whole.cropped(self._crop) if self._crop is not None and frame.shape[:2] == NYU_SIZE else whole

    def frame(self, index: int) -> NDArray[np.uint8]:
        """The picture of pair `index` alone, (H, W, 3) uint8 BGR."""
        frame = read_frame(self.pictures[index])
        return self._crop.of(frame) if self._crop is not None and frame.shape[:2] == NYU_SIZE else frame

    def neighbour(self, index: int, after: bool) -> View:
        """See RgbdSet; raises DataError where a picture has no pose."""
        here, there = (self.pictures[i] for i in (index, neighbour_of(self.pictures, index, after)))
        frame = read_frame(there)
        return View(frame if self._crop is None else self._crop.of(frame), between(here, there))


def read_frame(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8 BGR; raises DataError where it cannot be decoded."""
    frame = _decode(path, cv2.IMREAD_COLOR)
    return np.asarray(frame, np.uint8)


def read_size(path: Path) -> tuple[int, int]:
    """Width and height that a picture's header states, pixels; (0, 0) for none or a damaged one. Raises OSError."""
    with path.open("rb") as file:
        return picture_size(file.read(_HEADER))


def read_depth(path: Path, scale: float, max_depth: float) -> NDArray[np.float32]:
    """Read a 16-bit depth PNG as (H, W) float32 metres, 0 for unknown; raises DataError where it is not one."""
    units = _decode(path, cv2.IMREAD_UNCHANGED)
    if units.dtype != np.uint16 or units.ndim != 2:
        raise DataError(f"{path} is not a 16-bit grey PNG but {units.dtype} {units.shape}; convert it")
    depth = units.astype(np.float32) / np.float32(scale)
    unknown = (units == NO_READING) | (depth > max_depth)
    return np.where(unknown, 0, depth).astype(np.float32)


def _decode(path: Path, flags: int) -> NDArray[np.generic]:
    try:
        return decode_picture(path.read_bytes(), flags)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); restore it or take it off the list") from None
    except PictureError as error:
        raise DataError(f"{path} {error}; restore it or take its pair away") from None


def _part(pairs: list[PairPaths], every: int, split: Split) -> list[PairPaths]:
    """The training pairs without every so-many-th block, or those blocks; pairs of one room follow one another."""
    held = [index // BLOCK % every == every // 2 for index in range(len(pairs))]
    return [pair for pair, out in zip(pairs, held, strict=True) if out == (split == "test")]


def _scanned(folder: Path) -> list[PairPaths]:
    if not folder.is_dir():
        raise DataError(f"{folder.parent} has neither {folder.name}.txt nor a folder {folder.name}; add one")
    pairs = named_by_files(folder)
    unpaired = [pair for pair in pairs if not pair.depth.is_file()]
    if unpaired:
        raise DataError(
            f"{len(unpaired)} of {len(pairs)} pictures in {folder} have no depth, the first is {unpaired[0].rgb}; "
            f"add {unpaired[0].depth.name} or take the picture away"
        )
    return pairs


def _dense(depth: Path) -> Path:
    number = depth.stem.removeprefix("sync_depth_")
    dense = depth.parent / "dense" / f"sync_depth_dense_{number}.png"
    return dense if dense.is_file() else depth


def _focal(folder: Path, width: int) -> tuple[float, float]:
    matrix = camera_matrix(folder)
    if matrix is not None:
        return float(matrix[0, 0]), float(matrix[1, 1])
    LOG.warning("%s has no focal length in its lists and no K.txt; taking a Kinect's", folder)
    return KINECT_FOCAL * width, KINECT_FOCAL * width


def _centre(folder: Path, height: int, width: int) -> tuple[float, float]:
    matrix = camera_matrix(folder)
    if matrix is not None:
        return float(matrix[0, 2]), float(matrix[1, 2])
    return (width - 1) / 2, (height - 1) / 2


def camera_matrix(folder: Path) -> NDArray[np.float64] | None:
    """The (3, 3) matrix of `folder`/K.txt, pixels, or None without one; raises DataError where it is none."""
    path = folder / "K.txt"
    if not path.is_file():
        return None
    try:
        return np.loadtxt(path).reshape(3, 3)
    except ValueError as error:
        raise DataError(f"{path} is not a 3×3 matrix ({error}); correct it") from None
