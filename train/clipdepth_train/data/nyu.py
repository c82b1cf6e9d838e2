"""NYU Depth v2, labelled subset: from its two MATLAB files to the usual folder layout.

N. Silberman, D. Hoiem, P. Kohli, R. Fergus: Indoor Segmentation and Support Inference from RGBD Images,
ECCV 2012. The layout and the names are those of BTS's extract_official_train_test_set_from_mat.py, so files are named
by the 0-based index of the picture. That script blackens the white frame around each picture; here it is cut away, so
that pictures are 625×467 and look as a camera's do.
"""

import re
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import scipy.io
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cli.progress import follow
from clipdepth.errors import DataError
from clipdepth_train.data.crop import INNER
from clipdepth_train.data.folder import NYU_CENTRE, NYU_FOCAL
from clipdepth_train.data.layout import (
    SPLITS,
    FrameFiles,
    write_depth,
    write_intrinsics,
    write_lists,
    write_rgb,
)
from clipdepth_train.data.nyu_files import LABELED, PAGE, SPLITS_MAT, RemoteFile

# The colour camera's calibration in NYU's toolbox, camera_params.m, to four digits.
KINECT = Intrinsics(640, 480, fx=NYU_FOCAL, fy=519.4696, cx=NYU_CENTRE, cy=253.7362)
INNER_KINECT = replace(
    KINECT, height=INNER.size[0], width=INNER.size[1], cx=KINECT.cx - INNER.left, cy=KINECT.cy - INNER.top
)
"""The same for the pictures without their frame."""

# What follows the number of pictures in each dataset's shape, as HDF5 has it.
_SHAPES = {"images": (3, 640, 480), "depths": (640, 480), "rawDepths": (640, 480)}

# A dataset, for unpacked chunks: a chunk may span several pictures, and would be unpacked for each anew.
_CHUNK_CACHE_BYTES = 32 << 20


def prepare_nyu(labeled: Path, splits: Path, out: Path) -> list[FrameFiles]:
    """Write the pictures of `labeled` to `out`, parted as in `splits`; return the frames, by index.

    One picture is held in memory at a time. Files that exist are kept, so an interrupted run goes on
    where it stopped; the lists are written last.
    """
    with LabeledMat(labeled) as mat:
        frames = [
            FrameFiles(out, split, mat.scene(index), index)
            for index, split in sorted(read_splits(splits, len(mat)).items())
        ]
        for files in follow(frames, "NYU Depth v2"):
            _write_missing(mat, files)
    write_intrinsics(out, INNER_KINECT)
    write_lists(out, frames, KINECT.fx)
    return frames


def _write_missing(mat: "LabeledMat", files: FrameFiles) -> None:
    if not files.rgb.exists():
        write_rgb(files.rgb, INNER.of(mat.picture(files.index)))
    if not files.depth.exists():
        write_depth(files.depth, INNER.of(mat.depth("rawDepths", files.index)))
    if not files.dense_depth.exists():
        write_depth(files.dense_depth, INNER.of(mat.depth("depths", files.index)))


def read_splits(path: Path, count: int) -> dict[int, str]:
    """The split of each picture, by its index from 0, out of `count`; MATLAB counts from 1."""
    content = _load_splits(path)
    split_of: dict[int, str] = {}
    for split in SPLITS:
        key = f"{split}Ndxs"
        if key not in content:
            raise DataError(f"no '{key}' in {path}; {_remedy(SPLITS_MAT)}")
        for number in np.asarray(content[key]).ravel().tolist():
            if not 1 <= number <= count:
                raise DataError(f"'{key}' in {path} names picture {number:g}, but there are 1 to {count}")
            if split_of.setdefault(int(number) - 1, split) != split:
                raise DataError(f"{path} has picture {number:g} in train and in test; {_remedy(SPLITS_MAT)}")
    return split_of


def _load_splits(path: Path) -> dict[str, Any]:
    _require(path, SPLITS_MAT)
    try:
        return dict(scipy.io.loadmat(path))
    except Exception as error:  # scipy raises whatever its parser trips over, IndexError included
        reason = f"not a MATLAB 5 file, or damaged ({error})"
        raise DataError(f"{path}: {reason}; {_remedy(SPLITS_MAT)}") from error


class LabeledMat:
    """`nyu_depth_v2_labeled.mat`, a MATLAB 7.3 (HDF5) file, read a picture at a time.

    HDF5 has MATLAB's axes reversed: `images` (N, 3, 640, 480) uint8 RGB, `depths` (in-painted) and
    `rawDepths` (N, 640, 480) float32 metres, `sceneTypes` (1, N) references to UTF-16 characters.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open_hdf5(path)
        try:
            # Held open, since HDF5 forgets a dataset's unpacked chunks when it is closed.
            self._datasets = {key: self._dataset(key) for key in (*_SHAPES, "sceneTypes")}
            self._require_shapes()
        except DataError:
            self._file.close()
            raise

    def __enter__(self) -> "LabeledMat":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return int(self._datasets["images"].shape[0])

    def picture(self, index: int) -> NDArray[np.uint8]:
        """A picture, (480, 640, 3) uint8 BGR."""
        rgb = self._read("images", index).transpose(2, 1, 0)
        return np.ascontiguousarray(rgb[:, :, ::-1], np.uint8)

    def depth(self, key: str, index: int) -> NDArray[np.float32]:
        """Depth, (480, 640) float32 metres: `key` is "depths" (in-painted) or "rawDepths"."""
        return np.ascontiguousarray(self._read(key, index).T, np.float32)

    def scene(self, index: int) -> str:
        """The kind of scene, such as `living_room`."""
        try:
            characters = self._file[self._datasets["sceneTypes"][0, index]][()]
            name = np.asarray(characters, "<u2").tobytes().decode("utf-16-le")
        except (OSError, ValueError, TypeError) as error:
            raise self._damaged(f"sceneTypes[{index}]", error) from error
        if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
            raise DataError(f"sceneTypes[{index}] in {self.path} is {name!r}, no folder name; {_remedy(LABELED)}")
        return name

    def _read(self, key: str, index: int) -> NDArray[Any]:
        try:
            return np.asarray(self._datasets[key][index])
        except OSError as error:
            raise self._damaged(f"{key}[{index}]", error) from error

    def _damaged(self, what: str, error: Exception) -> DataError:
        return DataError(f"cannot read {what} from {self.path}: {error}; {_remedy(LABELED)}")

    def _dataset(self, key: str) -> Any:
        dataset = self._file.get(key)
        if not isinstance(dataset, h5py.Dataset):
            raise DataError(f"no '{key}' in {self.path}; {_remedy(LABELED)}")
        return dataset

    def _require_shapes(self) -> None:
        shapes = {key: tuple(dataset.shape) for key, dataset in self._datasets.items()}
        for key, expected in _SHAPES.items():
            if shapes[key][1:] != expected:
                found = f"has shape {shapes[key]}, expected {('N', *expected)}"
                raise DataError(f"'{key}' in {self.path} {found}; {_remedy(LABELED)}")
        counts = {key: shape[-1 if key == "sceneTypes" else 0] for key, shape in shapes.items()}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{count} {key}" for key, count in counts.items())
            raise DataError(f"{self.path} holds {found}: not the same number of each; {_remedy(LABELED)}")


def _open_hdf5(path: Path) -> Any:
    _require(path, LABELED)
    with path.open("rb") as file:
        if file.read(10) == b"MATLAB 5.0":
            raise DataError(f"{path} is a MATLAB 5 file, not MATLAB 7.3 (HDF5); {_remedy(LABELED)}")
    try:
        return h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES)
    except OSError as error:
        kind = "is truncated" if "truncated" in str(error) else "is not an HDF5 file"
        raise DataError(f"{path} {kind} ({error}); {_remedy(LABELED)}") from error


def _require(path: Path, remote: RemoteFile) -> None:
    if not path.is_file():
        raise DataError(f"no file {path}; {_remedy(remote)}")


def _remedy(remote: RemoteFile) -> str:
    return f"get {remote.name} (MD5 {remote.md5}) from {remote.url} or {PAGE}"
