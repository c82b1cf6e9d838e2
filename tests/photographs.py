"""Pictures with Exif data and videos with metadata, as cameras and phones write them."""

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from clips import write_clip

FOCAL_35 = 0xA405
"""FocalLengthIn35mmFilm."""
EXIF_IFD, ORIENTATION = 0x8769, 0x0112


def photograph(
    tags: dict[int, Any],
    kind: str = "jpeg",
    size: tuple[int, int] = (64, 48),
    orientation: int = 1,
    grey: int = 0,
) -> bytes:
    """A grey picture of `size`, width and height, whose Exif directory has `tags`."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[EXIF_IFD] = {tag: IFDRational(value) if isinstance(value, float) else value for tag, value in tags.items()}
    file = io.BytesIO()
    Image.new("RGB", size, (grey, grey, grey)).save(file, kind, exif=exif.tobytes())
    return file.getvalue()


def phone_video(path: Path, metadata: dict[str, str], grey: int = 0) -> Path:
    """A video with FFmpeg's own kind of QuickTime metadata."""
    plain = write_clip(path.with_name(f"plain-{path.name}"), [np.full((48, 64, 3), grey, np.uint8)] * 3)
    with av.open(str(plain)) as read, av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as written:
        written.metadata.update(metadata)
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    return path
