"""Sources of frames: a video, a folder of images, or rooms that the computer draws."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import SourceError, UsageError

__all__ = ["Captured", "Source", "open_source"]


@dataclass(frozen=True)
class Captured:
    """A frame and when it was taken.

    `frame` is (H, W, 3) uint8 BGR, `time` seconds since the source's first frame, `index` counts from 0.
    """

    frame: NDArray[np.uint8]
    time: float
    index: int


class Source(Protocol):
    """A stream of frames; a context manager, since it may hold a file or a device."""

    @property
    def name(self) -> str:
        """What it reads, for messages and reports."""

    @property
    def fps(self) -> float | None:
        """Frames a second, or None where the frames carry no time."""

    @property
    def frame_count(self) -> int | None:
        """How many frames to expect (a video's own claim), or None for an endless stream."""

    def __iter__(self) -> Iterator[Captured]:
        """Read frame after frame; raises SourceError where one cannot be read."""

    def __enter__(self) -> "Source":
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of what it holds."""


def open_source(spec: str) -> Source:
    """Open 'rooms', 'rooms:SEED', a folder of images, an image or a video.

    A folder that is itself called rooms is './rooms'. Raises SourceError where there is nothing to read,
    UsageError for a spec that is none of these.
    """
    kind, _, seed = spec.partition(":")
    if kind == "rooms":
        return _open_rooms(spec, seed)
    path = Path(spec)
    if path.is_dir():
        from clipdepth.sources.folder import open_folder

        return open_folder(path)
    if path.is_file():
        return _open_file(path)
    raise _nothing_there(spec)


def _open_rooms(spec: str, seed: str) -> Source:
    from clipdepth.sources.rooms import RoomsSource

    if spec != "rooms" and not (seed.isascii() and seed.isdigit()):
        raise UsageError(f"'{spec}' is no source; write 'rooms' or 'rooms:SEED' with a whole number from 0")
    return RoomsSource(int(seed or "0"))


def _open_file(path: Path) -> Source:
    from clipdepth.sources.folder import IMAGE_SUFFIXES, FolderSource
    from clipdepth.sources.video import VideoSource

    if path.suffix.lower() in IMAGE_SUFFIXES:
        return FolderSource(str(path), [path])
    return VideoSource(path)


def _nothing_there(spec: str) -> SourceError | UsageError:
    if spec.isdigit() or "://" in spec or spec.startswith("/dev/"):
        return UsageError(
            f"'{spec}' looks like a webcam or a network stream, which are not supported yet; "
            "give a video, a folder of images or 'rooms'"
        )
    return SourceError(f"there is no video or folder at '{spec}'; check the path, or give 'rooms'")
