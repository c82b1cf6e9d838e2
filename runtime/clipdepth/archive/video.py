"""Videos read by PyAV: their time stamps without decoding, and frames from a key frame on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from clipdepth.archive.chunk import Stream
from clipdepth.archive.uri import Uri
from clipdepth.errors import SourceError
from clipdepth.files.ffmpeg import HANDLE, HEAD_BYTES, refuse_lists
from clipdepth.files.quicktime import open_video_focal_35mm

_REMEDY = "copy it again or convert it"


class Video:
    """The first video stream of a file."""

    def __init__(self, name: str, file: IO[bytes], container: InputContainer, focal_35mm: float = 0.0) -> None:
        self.name = name
        self.focal_35mm = focal_35mm
        """What the file says of its lens, mm of 35 mm film; 0 where it says nothing."""
        self._file = file
        self._container = container
        self._track = _video_track(name, container)
        self._track.thread_count = 1
        self.stream = self._look()

    def stamps(self) -> tuple[list[int], list[int]]:
        """The time stamps of all frames, ascending, and those of key frames; the file is read, not decoded.

        Raises SourceError for a video without time stamps.
        """
        stamps: set[int] = set()
        keys: list[int] = []
        self._rewind()
        for packet in self._packets():
            stamp = packet.dts if packet.pts is None else packet.pts
            if not packet.size or packet.is_discard:
                continue
            if stamp is None:
                raise SourceError(f"{self.name} has frames without a time stamp; convert it to an MP4")
            stamps.add(stamp)
            if packet.is_keyframe:
                keys.append(stamp)
        if not stamps or not keys:
            raise SourceError(f"{self.name} has no frame; {_REMEDY}")
        return sorted(stamps), keys[:1] if self._misorders else sorted(keys)

    def frames(self, key: int | None = None) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Frames with their time stamps, (H, W, 3) uint8 BGR and upright, from the key frame at `key` or the start on.

        A few of before it may come first. Those that are damaged are left out.
        """
        if self._misorders:
            yield from self._in_order()
            return
        self._rewind()
        if key is not None:
            self._container.seek(key, stream=self._track)
        for frame in self._decoded():
            stamp = frame.dts if frame.pts is None else frame.pts
            if stamp is not None and not frame.is_corrupt:
                yield stamp, _upright(frame)

    @property
    def _misorders(self) -> bool:
        """Whether time stamps are of the order in which frames are decoded, not shown: AVI knows no other."""
        return self._container.format.name == "avi" and bool(self._track.codec_context.has_b_frames)

    def _in_order(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """All frames with the time stamps in the order in which they are shown, in which decoders give frames."""
        stamps, _ = self.stamps()
        self._rewind()
        for stamp, frame in zip(stamps, self._decoded(), strict=False):
            if not frame.is_corrupt:
                yield stamp, _upright(frame)

    def _look(self) -> Stream:
        base = self._track.time_base
        for frame in self._decoded():
            height, width = _upright(frame).shape[:2]
            assert base
            return Stream(height, width, base)
        raise SourceError(f"{self.name} has no frame that can be decoded; {_REMEDY}")

    def _rewind(self) -> None:
        start = self._track.start_time
        self._container.seek(min(start or 0, 0), stream=self._track)

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux(self._track)
        while True:
            try:
                yield next(packets)
            except (StopIteration, av.FFmpegError):
                return

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            try:
                yield from packet.decode()
            except av.FFmpegError:
                continue


@contextmanager
def open_video(uri: Uri) -> Iterator[Video]:
    """Open a video; raises SourceError where it cannot be read or has no frame that can be decoded."""
    name = str(uri)
    try:
        with uri.open() as file:
            refuse_lists(name, file.read(HEAD_BYTES))
            focal_35mm = open_video_focal_35mm(file)
            file.seek(0)
            with av.open(file, options=HANDLE.options) as container:
                yield Video(name, file, container, focal_35mm)
    except av.FFmpegError as error:
        raise SourceError(f"{name} is damaged, cut short or no video ({error.strerror}); {_REMEDY}") from None
    except SourceError:
        raise
    except Exception as error:  # file systems elsewhere raise their own
        raise SourceError(f"{name} cannot be read ({uri.reason(error)}); check the file") from None


def _video_track(name: str, container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise SourceError(f"{name} has no picture, only {len(container.streams)} other streams; remove it")
    return container.streams.video[0]


def _upright(frame: VideoFrame) -> NDArray[np.uint8]:
    """The frame's picture, (H, W, 3) uint8 BGR, turned as its side data say, as phones ask for."""
    picture = frame.to_ndarray(format="bgr24")
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
