"""Depth that was kept in files, read back."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import SourceError, UsageError
from clipdepth.files.ffmpeg import open_file
from clipdepth.files.picture_file import PictureError, decode_picture
from clipdepth.files.video import Video

IMAGE, VIDEO = ".png", ".mkv"


@dataclass(frozen=True)
class StoredDepth:
    """Depth that was read, (H, W) float32 metres with 0 where it is unknown, and when it was, where that is known."""

    depth: NDArray[np.float32]
    time: float | None
    """Seconds since the video's first frame, to the millisecond; None for a PNG."""


def read_depth(path: Path | str) -> Iterator[StoredDepth]:
    """Yield the depth in a file, frame by frame: a 16-bit PNG, a folder of them, or a video of `clipdepth archive`.

    All are in millimetres; a folder's files come in the order of their names. Raises UsageError for a path of another
    kind, SourceError for a file that is damaged or has no 16-bit depth.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob(f"*{IMAGE}"))
        if not files:
            raise SourceError(f"{path} has no {IMAGE} files, so no depth; give another folder")
        return map(_read_png, files)
    if path.suffix.lower() == IMAGE:
        return iter([_read_png(path)])
    if path.suffix.lower() == VIDEO:
        return _read_video(path)
    raise UsageError(
        f"{path} is no depth: give a 16-bit {IMAGE}, a folder of them, or an {VIDEO} of 'clipdepth archive'"
    )


def _read_png(path: Path) -> StoredDepth:
    try:
        image = decode_picture(path.read_bytes() if path.is_file() else b"", cv2.IMREAD_UNCHANGED)
    except PictureError as error:
        raise SourceError(f"{path} is missing or no depth: it {error}; make it again") from None
    return StoredDepth(_metres(image, path), None)


def _read_video(path: Path) -> Iterator[StoredDepth]:
    try:
        video = Video(str(path), open_file(path))
    except av.FFmpegError:
        raise SourceError(f"{path} is missing, damaged or no video; make it again") from None
    with closing(video):
        first: int | None = None
        for stamp, frame in video.frames():
            first = stamp if first is None else first
            # As it is in the file: of colour no depth is made.
            image = frame.to_ndarray() if frame.format.name.startswith("gray16") else None
            time = None if stamp is None or first is None else float((stamp - first) * video.time_base)
            yield StoredDepth(_metres(image, path), time)


def _metres(image: object, path: Path) -> NDArray[np.float32]:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint16 or image.squeeze().ndim != 2:
        raise SourceError(f"{path} is missing or damaged, or has no 16-bit depth; make it again")
    return np.asarray(image.reshape(image.shape[:2]) / np.float32(1000), np.float32)
