"""Small videos for tests, written by PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth.rooms import Room, default_intrinsics

NTSC = Fraction(30000, 1001)


def room_frames(seed: int, count: int, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """Frames of a flight through a room, (H, W, 3) uint8 BGR; eight are drawn and played to and fro."""
    room = Room(seed)
    drawn = [room.render(number / 4, default_intrinsics(height, width)).frame for number in range(min(count, 8))]
    there_and_back = [*drawn, *drawn[-2:0:-1]]
    return [there_and_back[number % len(there_and_back)] for number in range(count)]


def write_clip(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    rate: Fraction = NTSC,
    gop: int = 12,
    options: dict[str, str] | None = None,
    stamps: Sequence[int] | None = None,
    turned: int = 0,
) -> Path:
    """Write a video; `stamps`, in units of 1/rate, make its rate variable.

    The container tells players to turn it anticlockwise by `turned` degrees.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width, stream.pix_fmt = (
            *frames[0].shape[:2],
            "yuvj420p" if codec == "mjpeg" else "yuv420p",
        )
        stream.codec_context.gop_size = gop
        stream.codec_context.thread_count = 1
        if turned:
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("needs PyAV 18 or newer to write a turn")
            stream.set_display_rotation(turned)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            frame.pts = stamps[number] if stamps else number
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(path: Path) -> list[tuple[int, NDArray[np.uint8]]]:
    """All frames with their time stamps, decoded from the start to the end; AVI's are those of decoding alone."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        is_avi = container.format.name == "avi"
        # The last frames of an AVI with B-frames come without a time of decoding.
        stamps = [frame.dts if is_avi and frame.dts is not None else frame.pts for frame in frames]
        pictures = [frame.to_ndarray(format="bgr24") for frame in frames]
        return [(stamp, picture) for stamp, picture in zip(stamps, pictures, strict=True) if stamp is not None]
