"""Small files in the format of NYU Depth v2's, for tests: real layout and picture size, few pictures."""

from pathlib import Path

import h5py
import numpy as np
import scipy.io
from numpy.typing import NDArray

HEIGHT, WIDTH = 480, 640
SCENES = ("kitchen", "living_room", "kitchen", "office")
TRAIN, TEST = (1, 4), (2, 3)  # as in splits.mat, from 1
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def rgb() -> NDArray[np.uint8]:
    """(480, 640, 3) uint8 RGB: red and green above, blue and white below."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:240, :320], picture[:240, 320:] = RED, GREEN
    picture[240:, :320], picture[240:, 320:] = BLUE, WHITE
    return picture


def dense_millimetres(index: int) -> NDArray[np.int64]:
    """(480, 640), different in every row and column and for every picture."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray(500 + 7 * rows + 3 * columns + 1000 * index, np.int64)


def raw_millimetres(index: int) -> NDArray[np.int64]:
    """(480, 640), with a hole of no reading on the left, above the middle."""
    millimetres = dense_millimetres(index)
    millimetres[100:150, 20:60] = 0
    return millimetres


def write_labeled(path: Path, scenes: tuple[str, ...] = SCENES) -> Path:
    """Write `nyu_depth_v2_labeled.mat` as MATLAB 7.3 does: HDF5 behind 512 bytes, all axes reversed."""
    count = len(scenes)
    with h5py.File(path, "w", userblock_size=512) as file:
        packed = {"chunks": True, "compression": "gzip", "compression_opts": 1}
        images = file.create_dataset("images", (count, 3, WIDTH, HEIGHT), "u1", **packed)
        depths = file.create_dataset("depths", (count, WIDTH, HEIGHT), "f4", **packed)
        raw = file.create_dataset("rawDepths", (count, WIDTH, HEIGHT), "f4", **packed)
        for index in range(count):
            images[index] = rgb().transpose(2, 1, 0)
            depths[index] = dense_millimetres(index).T / 1000
            raw[index] = raw_millimetres(index).T / 1000
        write_scenes(file, scenes)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(116) + bytes(8)
    with path.open("r+b") as raw_file:
        raw_file.write(header + b"\x00\x02IM")
    return path


def write_scenes(file: h5py.File, scenes: tuple[str, ...]) -> None:
    """Write the cell array `sceneTypes`: (1, N) references to (length, 1) uint16 characters."""
    cells = file.create_dataset("sceneTypes", (1, len(scenes)), h5py.ref_dtype)
    for index, scene in enumerate(scenes):
        characters = np.array([[ord(character)] for character in scene], np.uint16)
        cells[0, index] = file.create_dataset(f"#refs#/{index}", data=characters).ref


def write_splits(path: Path, train: tuple[int, ...] = TRAIN, test: tuple[int, ...] = TEST) -> Path:
    """Write `splits.mat`, MATLAB 5: columns of doubles, counted from 1."""
    columns = {"trainNdxs": np.array([train], float).T, "testNdxs": np.array([test], float).T}
    scipy.io.savemat(path, columns)
    return path
