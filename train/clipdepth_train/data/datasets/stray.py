"""Recordings of Stray Scanner: an iPhone's or iPad's video with the depth of its LiDAR.

    FROM/[RECORDING/]rgb.mp4                1920×1440
    FROM/[RECORDING/]depth/000000.png       256×192, millimetres, a picture for each frame of the video
    FROM/[RECORDING/]confidence/000000.png  256×192: 0, 1 or 2, more is better
    FROM/[RECORDING/]camera_matrix.csv      3×3, of the video's pictures
    FROM/[RECORDING/]odometry.csv           a line a frame, of newer versions with fx, fy, cx, cy

Pictures are made as small as their depth. Depth of confidence 0 is unknown.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth.files.picture_file import PictureError, decode_picture
from clipdepth.sources import Captured
from clipdepth.sources.video import open_video
from clipdepth_train.data.datasets.files import read_numbers, scene_name, sequences
from clipdepth_train.data.datasets.pair import Depth, Options, Pair, Picture
from clipdepth_train.data.folder import read_depth
from clipdepth_train.data.layout import MILLIMETRES

FILM, MATRIX, ODOMETRY = "rgb.mp4", "camera_matrix.csv", "odometry.csv"
_CAMERA = ("fx", "fy", "cx", "cy")
_ASPECT = 0.01


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    for folder in sequences(source, FILM):
        yield from _recording(folder, scene_name(source, folder))


def _recording(folder: Path, scene: str) -> Iterator[Pair]:
    matrix = read_numbers(folder / MATRIX, [9])
    whole = (float(matrix[0]), float(matrix[4]), float(matrix[2]), float(matrix[5]))
    of_frames = _cameras(folder / ODOMETRY)
    with open_video(folder / FILM) as frames:
        for captured in frames:
            name = f"{captured.index:06d}"
            path = folder / "depth" / f"{name}.png"
            if path.is_file():
                yield _pair(captured, path, scene, name, of_frames.get(captured.index, whole))


def _pair(captured: Captured, path: Path, scene: str, name: str, camera: tuple[float, ...]) -> Pair:
    depth = _depth(path)
    (height, width), (rows, columns) = captured.frame.shape[:2], depth.shape
    if abs(columns / width * height / rows - 1) > _ASPECT:
        raise DataError(f"{path} is {columns}×{rows}, its video {width}×{height}, of another shape; record it again")

    def picture() -> Picture:
        small = cv2.resize(captured.frame, (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    fx, fy, cx, cy = camera
    pinhole = Intrinsics(width, height, fx, fy, cx, cy).resized(columns, rows)
    return Pair(scene, name, pinhole, picture, lambda: depth)


def _depth(path: Path) -> Depth:
    depth = read_depth(path, MILLIMETRES, math.inf)
    confidence = path.parents[1] / "confidence" / path.name
    if not confidence.is_file():
        return depth
    try:
        sure = np.asarray(decode_picture(confidence.read_bytes(), cv2.IMREAD_GRAYSCALE), np.uint8)
    except PictureError as error:
        raise DataError(f"{confidence} {error}; copy it again") from None
    if sure.shape != depth.shape:
        raise DataError(f"{confidence} is of another size than its depth; copy it again")
    return np.where(sure > 0, depth, np.float32(0))


def _cameras(path: Path) -> Mapping[int, tuple[float, ...]]:
    """fx, fy, cx and cy by the frame's number; none in files of earlier versions."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        if not set(_CAMERA) <= {name.strip() for name in rows.fieldnames or ()}:
            return {}
        try:
            return {int(row["frame"]): tuple(float(row[name]) for name in _CAMERA) for row in rows}
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{path} is damaged; copy it again") from None
