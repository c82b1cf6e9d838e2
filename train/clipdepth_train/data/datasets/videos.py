"""Plain videos with depth videos, as `clipdepth archive` writes them: FFV1 of 16 bits, in millimetres.

    FROM/films/kitchen.mp4
    FROM/films/kitchen.mp4.mkv              or below --depth DIR

Frames are paired by their time stamps; a depth video may have fewer of them. A picture that is larger than its depth is
made as small. A lens that bends is undone. The camera is told by --fov, --focal-px or --calibration. Depth of an
archive that was made with that calibration is of the straight picture already, see `is_straight`.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from clipdepth.camera.camera import Camera
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import DataError
from clipdepth.files.depth_file import VIDEO, StoredDepth, read_depth
from clipdepth.sources import Captured
from clipdepth.sources.folder import VIDEO_SUFFIXES
from clipdepth.sources.video import open_video
from clipdepth_train.data.datasets.archived import is_straight
from clipdepth_train.data.datasets.pair import Depth, Options, Pair, Picture
from clipdepth_train.data.datasets.straight import Straight, straight_of
from clipdepth_train.data.datasets.told import required_camera, sized_camera

SAME = 0.002
"""Seconds by which the time stamps of a picture and its depth may differ: Matroska has milliseconds."""
ASPECT = 0.01


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    camera = required_camera(options)
    kept = options.depth or source
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    paired = [(video, kept / f"{video.relative_to(source)}{VIDEO}") for video in found]
    paired = [(video, depth) for video, depth in paired if depth.is_file()]
    if not paired:
        raise DataError(f"no video in {source} has its depth in {kept} as VIDEO.mp4{VIDEO}; see docs/data.md")
    for video, depth in paired:
        yield from _film(video, depth, video.relative_to(source).as_posix(), camera)


def _film(video: Path, depth: Path, scene: str, camera: Camera) -> Iterator[Pair]:
    stored = read_depth(depth)
    waiting = next(stored, None)
    straight: Straight | None = None
    finished = is_straight(depth, camera)
    with open_video(video) as frames:
        for captured in frames:
            while waiting is not None and _time(waiting) < captured.time - SAME:
                waiting = next(stored, None)
            if waiting is None:
                return
            if abs(_time(waiting) - captured.time) <= SAME:
                straight = straight or straight_of(_camera(camera, captured, waiting, depth))
                yield _pair(captured, waiting, scene, straight, finished)


def _pair(captured: Captured, stored: StoredDepth, scene: str, straight: Straight, finished: bool) -> Pair:
    def picture() -> Picture:
        pinhole = straight.intrinsics
        small = captured.frame
        if small.shape[:2] != (pinhole.height, pinhole.width):
            small = np.asarray(
                cv2.resize(small, (pinhole.width, pinhole.height), interpolation=cv2.INTER_AREA), np.uint8
            )
        return straight.picture(small)

    def depth() -> Depth:
        return stored.depth if finished else straight.depth(stored.depth)

    return Pair(scene, f"{captured.index:06d}", straight.intrinsics, picture, depth)


def _camera(camera: Camera, captured: Captured, stored: StoredDepth, path: Path) -> SizedCamera:
    """The camera of the depth's size."""
    (height, width), (rows, columns) = captured.frame.shape[:2], stored.depth.shape
    if abs(columns / width * height / rows - 1) > ASPECT:
        raise DataError(f"{path} is {columns}×{rows}, its video {width}×{height}, of another shape; make it again")
    return sized_camera(camera, width, height).resized(columns, rows)


def _time(stored: StoredDepth) -> float:
    return stored.time or 0.0
