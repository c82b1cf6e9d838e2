"""Frame and depth side by side as a video."""

import logging
import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.resize import resize_frame, resize_measured_depth
from clipdepth.errors import OutputError, SourceError
from clipdepth.files.atomic import atomic_file, draft_file, make_folder, remove_drafts
from clipdepth.files.claim import claimed
from clipdepth.files.ffmpeg import open_file
from clipdepth.files.video import Video
from clipdepth.frame import DepthFrame
from clipdepth.sinks.depth_picture import PAPER, colour_bar, side_by_side
from clipdepth.sinks.video_writer import VideoWriter

_LOG = logging.getLogger(__name__)

IMAGES_FPS = 10.0
"""How fast images play that carry no time, frames a second."""
LONGEST_SIDE = 8190
"""Pixels: what H.264 allows at level 5.2 (ITU-T H.264, A.3.1) and MPEG-4 Part 2 at all; sides are even."""


class VideoSink:
    """A video (H.264, or VP9 for .webm) that is whole or not there, and plays in browsers.

    It is written beside its final name. Its end, which Ctrl-C brings too, leaves a playable file; an error leaves
    none, and an earlier file as it was. The first picture decides the size: others are scaled to fit into it, with
    bars beside them. Pictures that are too large for the encoder are scaled down, which is warned of once. Each picture
    stands from its frame's time until the next one's; those of images that are not `timed` for a tenth of a second.
    """

    def __init__(self, path: Path, near: float, far: float, *, timed: bool = True) -> None:
        self.path = path
        self.name = str(path)
        self._range = near, far
        self._draft = path
        self._held = ExitStack()
        self._writer: VideoWriter | None = None
        self._size = (0, 0)
        self._is_scaled = False
        self._timed = timed
        self._start = 0.0

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`."""
        picture = self._picture(frame)
        try:
            if self._writer is None:
                self._size, self._start = (picture.shape[1], picture.shape[0]), frame.time
                self._writer = self._open()
            if (picture.shape[1], picture.shape[0]) != self._size:
                picture = _framed(picture, *self._size)
            seconds = frame.time - self._start if self._timed else self._writer.written / IMAGES_FPS
            self._writer.write(picture, seconds)
        except av.FFmpegError as error:
            raise self._failed(error) from None

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
            text = "%s: pictures of %s are scaled to %s, since a video has at most %d pixels a side, depth included"
            _LOG.warning(text, self.path, given, kept, LONGEST_SIDE)
        self._is_scaled = True

    def __enter__(self) -> "VideoSink":
        make_folder(self.path.parent)
        with ExitStack() as stack:
            stack.enter_context(claimed(self.path))
            remove_drafts(self.path)
            self._draft = stack.enter_context(draft_file(self.path))
            self._held = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._held:
            if self._writer is None:
                return
            try:
                self._writer.finish()
            except av.FFmpegError as error:
                # What went wrong before counts more.
                if kind is None:
                    raise self._failed(error) from None
            if self._writer.written and kind is None:
                self._name_it(self._writer.written)

    def _open(self) -> VideoWriter:
        width, height = self._size
        return VideoWriter(self.path, self._draft, height, width, 1 / IMAGES_FPS)

    def _name_it(self, written: int) -> None:
        """Give the video its name if every frame that was written can be found in it."""
        # One more is well: Ctrl-C may come between a frame's writing and its counting.
        if _frame_count(self._draft) < written:
            raise self._failed()
        with atomic_file(self.path) as partial:
            self._draft.replace(partial)

    def _failed(self, error: av.FFmpegError | None = None) -> OutputError:
        free = shutil.disk_usage(self.path.parent).free / 1e6
        reason = f"{error.strerror}, " if error else ""
        return OutputError(
            f"{self.path} could not be written beyond frame {self._writer.written if self._writer else 0} "
            f"({reason}{free:.1f} MB are free there); free some space or choose another place"
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
    """How many frames can be found in a video; an MP4's are in its index, which is written last."""
    try:
        with closing(Video(str(path), open_file(path))) as video:
            return video.stated_frames or len(video.stamps()[0])
    except (av.FFmpegError, SourceError):
        return 0


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
