"""Frame and depth side by side as an MP4 video."""

import logging
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.resize import resize_frame, resize_measured_depth
from clipdepth.errors import OutputError
from clipdepth.files.atomic import atomic_file, draft_file, make_folder, remove_drafts
from clipdepth.files.claim import claimed
from clipdepth.files.ffmpeg import open_file
from clipdepth.frame import DepthFrame
from clipdepth.sinks.depth_picture import PAPER, colour_bar, side_by_side

_LOG = logging.getLogger(__name__)

LONGEST_SIDE = 8190
"""Pixels: MPEG-4 Part 2 has 13 bits for each side (ISO/IEC 14496-2, 6.3.3), and sides are even."""


class VideoSink:
    """An MP4 (MPEG-4 Part 2, which every OpenCV can write) that is whole or not there.

    It is written beside its final name. Its end, which Ctrl-C brings too, leaves a playable file; an error leaves
    none, and an earlier file as it was. The first picture decides the size: others are scaled to fit into it, with
    bars beside them. Pictures that are too large for the encoder are scaled down, which is warned of once. With `live`
    the video plays as fast as things happened: a picture stands until the next one's time, or makes way for it.
    """

    def __init__(self, path: Path, fps: float, near: float, far: float, *, live: bool = False) -> None:
        self.path = path
        self.name = str(path)
        self._fps = fps
        self._range = near, far
        self._draft = path
        self._held = ExitStack()
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._written = 0
        self._is_scaled = False
        self._live = live
        self._start = 0.0
        self._last: NDArray[np.uint8] | None = None

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`."""
        picture = self._picture(frame)
        if self._writer is None:
            self._size = picture.shape[1], picture.shape[0]
            self._writer = self._open()
        if (picture.shape[1], picture.shape[0]) != self._size:
            picture = _framed(picture, *self._size)
        number = self._number(frame)
        if self._last is not None:
            while self._written < number:
                self._append(self._last)
        if self._written == number:
            self._append(picture)
        self._last = picture

    def _picture(self, frame: DepthFrame) -> NDArray[np.uint8]:
        """Frame and depth side by side, with even sides that the encoder takes."""
        image, depth = frame.image, frame.depth
        height, width = image.shape[:2]
        rows, columns = fitting_size(height, width, lambda of: colour_bar(of, *self._range, frame.kind).shape[1])
        if (rows, columns) != (height, width):
            self._warn_once(f"{width}×{height}", f"{columns}×{rows}")
            image = resize_frame(image, rows, columns)
            depth = resize_measured_depth(depth, rows, columns)
        return _even(side_by_side(image, depth, *self._range, frame.kind))

    def _warn_once(self, given: str, kept: str) -> None:
        if not self._is_scaled:
            text = "%s: pictures of %s are scaled to %s, since an MP4 has at most %d pixels a side, depth included"
            _LOG.warning(text, self.path, given, kept, LONGEST_SIDE)
        self._is_scaled = True

    def _number(self, frame: DepthFrame) -> int:
        """The number of a frame in the video: the next one, or for a live source what its time says."""
        if not self._live:
            return self._written
        if self._last is None:
            self._start = frame.time
        return round((frame.time - self._start) * self._fps)

    def _append(self, picture: NDArray[np.uint8]) -> None:
        assert self._writer
        # OpenCV 5 returns False where it could not write; OpenCV 4 returns None and is caught at the end.
        written: object = self._writer.write(picture)
        if written is False:
            raise self._disk_full()
        self._written += 1

    def __enter__(self) -> "VideoSink":
        make_folder(self.path.parent)
        with ExitStack() as stack:
            stack.enter_context(claimed(self.path))
            remove_drafts(self.path)
            self._draft = stack.enter_context(draft_file(self.path))
            self._held = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._writer is not None:
            self._writer.release()
        with self._held:
            if self._written and kind is None:
                self._finish()

    def _open(self) -> cv2.VideoWriter:
        writer = cv2.VideoWriter(str(self._draft), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, self._size, isColor=True)
        if not writer.isOpened():
            raise OutputError(
                f"cannot open {self.path} to write video; check that its folder is writable and has space"
            )
        return writer

    def _finish(self) -> None:
        """Give the video its name if every frame that was written can be found in it."""
        # One more is well: Ctrl-C may come between a frame's writing and its counting.
        if _frame_count(self._draft) < self._written:
            raise self._disk_full()
        with atomic_file(self.path) as partial:
            self._draft.replace(partial)

    def _disk_full(self) -> OutputError:
        free = shutil.disk_usage(self.path.parent).free / 1e6
        return OutputError(
            f"{self.path} could not be written beyond frame {self._written} ({free:.1f} MB are free there); "
            "free some space or choose another place"
        )


def fitting_size(height: int, width: int, bar_width: Callable[[int], int]) -> tuple[int, int]:
    """Height and width of the largest picture of that shape of which two, and their bar, fit into a video."""
    bar = bar_width(height)
    while True:
        scale = min(1.0, LONGEST_SIDE / height, (LONGEST_SIDE - bar) / (2 * width))
        rows, columns = max(1, int(height * scale)), max(1, int(width * scale))
        # A lower bar may be wider, by other numbers.
        over = 2 * columns + bar_width(rows) - LONGEST_SIDE
        if over <= 0:
            return rows, columns
        bar += over


def _frame_count(path: Path) -> int:
    """How many frames an MP4's index, which is written last, says it has; 0 where it has no index."""
    reader = open_file(path)
    try:
        return int(reader.get(cv2.CAP_PROP_FRAME_COUNT)) if reader.isOpened() else 0
    finally:
        reader.release()


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column where there is an odd number: many players refuse odd sizes."""
    height, width = picture.shape[:2]
    if not (height % 2 or width % 2):
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _framed(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The picture scaled to fit into `height` × `width`, in its middle."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    rows, columns = (max(1, round(scale * side)) for side in picture.shape[:2])
    framed = np.full((height, width, 3), PAPER, np.uint8)
    top, left = (height - rows) // 2, (width - columns) // 2
    framed[top : top + rows, left : left + columns] = resize_frame(picture, rows, columns)
    return framed
