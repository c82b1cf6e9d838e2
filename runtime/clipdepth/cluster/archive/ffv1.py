"""Lossless 16-bit depth video: FFV1 (RFC 9043) in Matroska (RFC 9559)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

MILLISECOND = Fraction(1, 1000)
"""Matroska's time base."""


def encode_ffv1(depths: Sequence[NDArray[np.uint16]]) -> list[bytes]:
    """A packet for each picture, (H, W) uint16; of a size, the same picture gives the same packet wherever it stands.

    Each is a key frame and needs no other, so that packets of several encoders make one video.
    """
    if not depths:
        return []
    height, width = depths[0].shape
    codec = VideoCodecContext.create("ffv1", "w")
    _set_up(codec, height, width)
    packets = []
    for number, depth in enumerate(depths):
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(depth), format="gray16le")
        frame.pts = number
        packets += codec.encode(frame)
    return [bytes(packet) for packet in [*packets, *codec.encode(None)]]


@contextmanager
def matroska(path: Path, height: int, width: int) -> Iterator["Writer"]:
    """Write a video of `encode_ffv1`'s packets; the same packets give the same file, byte for byte."""
    with av.open(str(path), "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("ffv1")
        _set_up(stream.codec_context, height, width)
        stream.time_base = MILLISECOND
        yield Writer(container, stream)


class Writer:
    """A Matroska file being written."""

    def __init__(self, container: av.container.OutputContainer, stream: Any) -> None:
        self._container, self._stream = container, stream

    def write(self, data: bytes, stamp: int, time_base: Fraction) -> None:
        """Add a packet that is shown at `stamp`."""
        packet = av.Packet(data)
        packet.stream = self._stream
        packet.time_base = time_base
        packet.pts = packet.dts = stamp
        packet.is_keyframe = True
        self._container.mux(packet)


def _set_up(codec: Any, height: int, width: int) -> None:
    codec.height, codec.width, codec.pix_fmt = height, width, "gray16le"
    codec.time_base = MILLISECOND
    codec.gop_size = 1
    codec.thread_count = 1
    # Slices let readers decode on several cores, and each has a checksum.
    codec.options = {"level": "3", "slices": "4", "slicecrc": "1", "context": "0"}
