"""Frames of a video as JPEG pictures beside it: a video cannot be read in any order, and training does.

    DATA/teacher/frames-0.5s/frames.json                  how they were taken
    DATA/teacher/frames-0.5s/film.mp4/000012.jpg          frame 12 of DATA/film.mp4
    DATA/teacher/frames-0.5s/film.mp4/video.json          that all of the video is there

Every file is written whole or not at all; a video that was cut off is read again, and what is there is kept.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.cli.progress import follow
from clipdepth.errors import DataError
from clipdepth.files.atomic import atomic_file, write_json
from clipdepth.sources import open_source

BESIDE = "teacher"
"""The folder in a dataset that keeps what is made for a teacher and by it."""
FRAMES = "frames-"
"""What the names of the folders in it begin with that hold frames of videos."""
LONGEST_SIDE = 1280
"""Frames that are longer are made smaller, pixels: networks see a few hundred."""
_QUALITY = 95
_SETTINGS, _DONE = "frames.json", "video.json"


def video_frames(data: Path, videos: Iterable[Path], every: float) -> list[Path]:
    """The pictures of `videos`, all in folder `data`: a frame every so many seconds, 0 for all.

    Those that are not there yet are written, with a bar on stderr. Raises SourceError for a video that cannot be read.
    """
    kept = data / BESIDE / f"{FRAMES}{every:g}s"
    folders = {video: kept / video.relative_to(data) for video in videos}
    missing = {video: folder for video, folder in folders.items() if not _is_whole(folder, video)}
    if missing:
        write_json(kept / _SETTINGS, {"every": every, "longest_side": LONGEST_SIDE})
    for video, folder in follow(missing.items(), "frames of videos") if missing else ():
        _take_frames(video, folder, every)
    return [picture for folder in folders.values() for picture in sorted(folder.glob("*.jpg"))]


def is_kept(folder: Path) -> bool:
    """Whether `folder` is one in which frames or answers are kept, so that its pictures are nobody's own."""
    return any(folder.glob(f"*/{_SETTINGS}")) or any(folder.glob("*/teacher.json"))


def _is_whole(folder: Path, video: Path) -> bool:
    done = folder / _DONE
    if not done.is_file():
        return False
    try:
        return bool(json.loads(done.read_text(encoding="utf-8"))["bytes"] == video.stat().st_size)
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{done} is damaged; delete {folder}, and the same command takes the frames again") from None


def _take_frames(video: Path, folder: Path, every: float) -> None:
    if (folder / _DONE).is_file():  # of another video of this name
        raise DataError(f"{video} has changed since its frames were taken; delete {folder} and its answers beside it")
    taken, last = 0, -1
    with open_source(str(video)) as source:
        for captured in source:
            slot = int(captured.time / every + 1e-6) if every else captured.index
            if slot == last:
                continue
            taken, last = taken + 1, slot
            picture = folder / f"{captured.index:06d}.jpg"
            if not picture.is_file():
                _write_jpeg(picture, captured.frame)
    write_json(folder / _DONE, {"bytes": video.stat().st_size, "frames": taken})


def _write_jpeg(path: Path, frame: NDArray[np.uint8]) -> None:
    scale = LONGEST_SIDE / max(frame.shape[:2])
    if scale < 1:
        frame = np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    with atomic_file(path, durable=False) as partial:
        partial.write_bytes(data.tobytes())
