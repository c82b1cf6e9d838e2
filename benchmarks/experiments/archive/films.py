"""Films for the measurements: a flight through a drawn room to and fro, as long as asked for."""

from fractions import Fraction
from pathlib import Path

import av

from clipdepth.rooms import Room, default_intrinsics

DRAWN = 60
"""How many frames are drawn; they are played forwards and backwards."""


def write_films(folder: Path, count: int, frames: int, height: int, width: int) -> None:
    """Write `count` films of 30 frames a second, H.264 in MP4 with a key frame every 8 s; those that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"{number:03d}-{frames}.mp4"
        if not path.is_file():
            _write(path.with_suffix(".partial.mp4"), number, frames, height, width)
            path.with_suffix(".partial.mp4").replace(path)


def _write(path: Path, seed: int, frames: int, height: int, width: int) -> None:
    room = Room(seed)
    drawn = [room.render(number / 15, default_intrinsics(height, width)).frame for number in range(DRAWN)]
    around = [*drawn, *drawn[-2:0:-1]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "fast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.gop_size = 240
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(around[number % len(around)], format="bgr24")))
        container.mux(stream.encode(None))
