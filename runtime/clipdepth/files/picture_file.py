"""Picture files from strangers: their size is read from the header before OpenCV makes room for their pixels."""

import struct
from collections.abc import Iterator
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.files.avif import avif_size, is_avif
from clipdepth.files.tiff import HEIGHT, SIGNATURES, WIDTH, tiff_numbers

MAX_PIXELS = 1 << 27
"""134 million: more than any one camera's, and 400 MB once it is decoded."""


class PictureError(ValueError):
    """What is wrong with a picture, as the end of a sentence that begins with its name, and what to do about it."""

    def __init__(self, problem: str, remedy: str = "copy it again or remove it") -> None:
        super().__init__(problem)
        self.remedy = remedy


def decode_picture(data: bytes, flags: int) -> NDArray[np.generic]:
    """Decode a PNG, JPEG, BMP, TIFF, WebP or AVIF file as `cv2.imdecode` does.

    Raises PictureError where it is damaged, of another kind, or has more than `MAX_PIXELS`.
    """
    width, height = picture_size(data)
    if width * height > MAX_PIXELS:
        raise PictureError(f"has {width}×{height} pixels, more than {MAX_PIXELS:,} in all", "make it smaller")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if width and height else None
    except cv2.error:  # the codecs' own limits
        picture = None
    if picture is None:
        if is_avif(data) and not cv2.haveImageWriter(".avif"):
            raise PictureError(f"is AVIF, which OpenCV {cv2.__version__} here cannot read", "convert it to PNG or JPEG")
        raise PictureError("is damaged or no image")
    return picture


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height that the file's header states, pixels; (0, 0) for a file of another kind or a cut header."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _pair(">II", data, 16)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith(b"BM"):
            return _bmp(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:4] in SIGNATURES:
            numbers = tiff_numbers(BytesIO(data), (WIDTH, HEIGHT))
            return numbers.get(WIDTH, 0), numbers.get(HEIGHT, 0)
        if is_avif(data):
            return avif_size(data)
    except struct.error:
        pass
    return 0, 0


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Each segment's marker and the offset behind it, up to the first scan (ITU-T T.81, annex B)."""
    offset = 2
    # By the lengths, since a thumbnail among the headers has markers of its own.
    while data[offset : offset + 1] == b"\xff" and offset + 1 < len(data):
        marker = data[offset + 1]
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        yield marker, offset + 2
        if marker == 0xDA:
            return
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")


def _pair(form: str, data: bytes, offset: int) -> tuple[int, int]:
    width, height = struct.unpack_from(form, data, offset)
    return abs(width), abs(height)


def _jpeg(data: bytes) -> tuple[int, int]:
    for marker, offset in jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header
            height, width = _pair(">HH", data, offset + 3)
            return width, height
    return 0, 0


def _bmp(data: bytes) -> tuple[int, int]:
    is_os2 = struct.unpack_from("<I", data, 14) == (12,)
    return _pair("<HH" if is_os2 else "<ii", data, 18)  # a height below 0 means rows from the top


def _webp(data: bytes) -> tuple[int, int]:
    """RFC 9649: a lossy, a lossless or an extended file."""
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = _pair("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return 0, 0
