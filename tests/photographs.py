"""Picture files with Exif data, as cameras and phones write them."""

import io
from typing import Any

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

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
