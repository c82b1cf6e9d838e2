"""Videos and streams, decoded by FFmpeg through PyAV: time stamps, rotation, and frames that are damaged."""

from collections.abc import Iterator
from fractions import Fraction
from heapq import heappop, heappush

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from clipdepth.errors import SourceError

HIGHEST_RATE = 1000
"""Frames a second. Streams that do not know their rate state the ticks of their clock, 1000 to 180,000."""


class Video:
    """The first video stream of an open container, which is closed with the last reference to this.

    `threads` decode at a time, 0 for one a core. With `at_once` no frame waits for later ones to be decoded beside it,
    as live streams want it.
    """

    def __init__(self, name: str, container: InputContainer, *, threads: int = 0, at_once: bool = False) -> None:
        self.name = name
        self.damaged = 0
        """How many frames could not be decoded, or not whole, so far."""
        self.packets = 0
        """How many encoded frames were read, those before an edit list's start too. Of an AVI whose rate varies the
        places without a frame count as well, since it counts them among its frames."""
        self._container = container
        self._track = _video_track(name, container)
        self._track.codec_context.thread_count = threads
        self._track.codec_context.thread_type = "SLICE" if at_once else "AUTO"
        self.time_base = self._track.time_base or Fraction(1, 1000)

    @property
    def container_name(self) -> str:
        """The container or protocol, by FFmpeg's name."""
        return self._container.format.name

    @property
    def in_hardware(self) -> bool:
        """Whether a device decodes it; before the first frame, whether one was found for its codec."""
        return self._track.codec_context.is_hwaccel

    @property
    def rate(self) -> float | None:
        """Frames a second on average, as the container says; None where it does not know."""
        rate = self._track.average_rate
        return float(rate) if rate and 0 < rate < HIGHEST_RATE else None

    @property
    def stated_frames(self) -> int | None:
        """How many frames the container says it has; None where it counts none."""
        return self._track.frames or None

    @property
    def stated_seconds(self) -> float | None:
        """How long the container says it is; None for a stream that has no end."""
        if self._track.duration:
            return float(self._track.duration * self.time_base)
        return self._container.duration / av.time_base if self._container.duration else None

    @property
    def misorders(self) -> bool:
        """Whether time stamps are of the order in which frames are decoded, not shown: AVI knows no other."""
        return self._is_avi and bool(self._track.codec_context.has_b_frames)

    @property
    def _is_avi(self) -> bool:
        return self.container_name == "avi"

    def frames(self) -> Iterator[tuple[int | None, VideoFrame]]:
        """Frames in the order in which they are shown, from where the file stands; those that are damaged are left out.

        With their time stamps in units of `time_base`, None where there is none. A read that fails is the end.
        """
        misorders, stamps = self.misorders, list[int]()
        for packet in self._packets_and_end():
            found = self._decode(packet)
            if packet:
                self.packets = packet.dts + 1 if self._is_avi and packet.dts is not None else self.packets + 1
            # Frames come in the order in which they are shown, so each has the earliest stamp that is left.
            stamp = self._stamp(packet) if misorders and packet and found is not None else None
            if stamp is not None:
                heappush(stamps, stamp)
            for frame in found or []:
                stamp = heappop(stamps) if stamps else self._stamp(frame)
                if frame.is_corrupt:
                    self.damaged += 1
                else:
                    yield stamp, frame

    def stamps(self) -> tuple[list[int], list[int]]:
        """The time stamps of all frames, ascending, and those of key frames; the file is read, not decoded.

        Raises SourceError for a video without time stamps.
        """
        stamps: set[int] = set()
        keys: list[int] = []
        self.rewind()
        for packet in self._packets():
            stamp = self._stamp(packet)
            if packet.is_discard:
                continue
            if stamp is None:
                raise SourceError(f"{self.name} has frames without a time stamp; convert it to an MP4")
            stamps.add(stamp)
            if packet.is_keyframe:
                keys.append(stamp)
        if not stamps or not keys:
            raise SourceError(f"{self.name} has no frame; copy it again or convert it")
        return sorted(stamps), keys[:1] if self.misorders else sorted(keys)

    def seek(self, key: int) -> None:
        """Go to the key frame at time stamp `key`, or to one before it."""
        self._container.seek(key, stream=self._track)

    def rewind(self) -> None:
        """Go to the start."""
        self.seek(min(self._track.start_time or 0, 0))

    def close(self) -> None:
        """Let go of the file or the connection; no thread may be reading."""
        self._container.close()

    def __del__(self) -> None:
        # PyAV's containers and their streams refer to each other, so that they would wait for the garbage collector.
        if hasattr(self, "_container"):
            self._container.close()

    def _packets(self) -> "Iterator[Packet[VideoStream]]":
        packets = self._container.demux(self._track)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):
                return
            if packet.size:
                yield packet

    def _packets_and_end(self) -> "Iterator[Packet[VideoStream] | None]":
        """Each packet, and None for the frames that the decoder still holds."""
        yield from self._packets()
        yield None

    def _stamp(self, timed: "VideoFrame | Packet[VideoStream]") -> int | None:
        # AVI has times of decoding alone. FFmpeg makes up those of showing: the next frame's, even without reordering.
        is_guess = self._is_avi and not self.misorders
        return timed.dts if timed.pts is None or is_guess else timed.pts

    def _decode(self, packet: "Packet[VideoStream] | None") -> list[VideoFrame] | None:
        """The frames that a packet completes; None where it is damaged."""
        try:
            return self._track.codec_context.decode(packet)
        except av.FFmpegError:
            self.damaged += packet is not None
            return None


def upright(frame: VideoFrame) -> NDArray[np.uint8]:
    """The frame's picture, (H, W, 3) uint8 BGR, turned as its display matrix says, as phones ask for."""
    picture = frame.to_ndarray(format="bgr24")
    return np.asarray(np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90))), np.uint8)


def _video_track(name: str, container: InputContainer) -> VideoStream:
    """The first track that is no cover picture; raises SourceError where there is none."""
    for track in container.streams.video:
        if not track.disposition & Disposition.attached_pic:
            return track
    raise SourceError(f"{name} has no frame: none of its {len(container.streams)} tracks is a video; give another")
