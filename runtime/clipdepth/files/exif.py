"""What a camera wrote about its lens into a picture file: a few EXIF tags, by a reader of these alone."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from clipdepth.files.picture_file import jpeg_segments

EXIF_IFD = 0x8769
MOST_ENTRIES = 1000
"""Of a directory; a damaged file may claim more."""
_NAMES = {
    0x920A: "focal_mm",
    0xA405: "focal_35mm",
    0xA404: "digital_zoom",
    0xA002: "width",
    0xA003: "height",
    0xA20E: "pixels_per_unit",
    0xA210: "unit",
}
_FORMS = {3: "H", 4: "I", 5: "II", 9: "i", 10: "ii", 13: "I"}
"""The types that these tags have: SHORT, LONG, RATIONAL, their signed kin, and IFD, an offset."""


@dataclass(frozen=True)
class Exif:
    """Tags of Exif 3.0 (CIPA DC-008); 0 for one that is missing or that the camera does not know."""

    focal_mm: float = 0
    """FocalLength: the lens's own."""
    focal_35mm: float = 0
    """FocalLengthIn35mmFilm, mm."""
    digital_zoom: float = 0
    """DigitalZoomRatio."""
    width: float = 0
    """PixelXDimension: of the picture that the camera wrote, before it is turned upright."""
    height: float = 0
    """PixelYDimension."""
    pixels_per_unit: float = 0
    """FocalPlaneXResolution: pixels of that picture in a unit of the sensor's width."""
    unit: float = 0
    """FocalPlaneResolutionUnit: 2 is an inch, 3 a centimetre."""


def read_exif(data: bytes) -> Exif:
    """The tags of a JPEG, PNG, WebP or TIFF file; all 0 where they are damaged, or the file is of another kind."""
    block = _block(data)
    try:
        return Exif(**dict(_tags(block)))
    except struct.error:  # cut short, or an offset that leads outside
        return Exif()


def _block(data: bytes) -> bytes:
    """The part of a file that is laid out as a TIFF; empty for none."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _chunk(data, b"eXIf", 8, ">I4s", 4)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _chunk(data, b"EXIF", 12, "<4sI", 0).removeprefix(b"Exif\0\0")
    return data if data[:4] in (b"II*\0", b"MM\0*") else b""


def _jpeg(data: bytes) -> bytes:
    for marker, offset in jpeg_segments(data):
        if marker == 0xE1 and data[offset + 2 : offset + 8] == b"Exif\0\0":
            return data[offset + 8 : offset + int.from_bytes(data[offset : offset + 2], "big")]
    return b""


def _chunk(data: bytes, wanted: bytes, offset: int, head: str, check_bytes: int) -> bytes:
    """A PNG's or a RIFF's chunk: a head of length and kind, the content, and `check_bytes` behind it."""
    while offset + 8 <= len(data):
        first, second = struct.unpack_from(head, data, offset)
        kind, length = (second, first) if isinstance(first, int) else (first, second)
        if kind == wanted:
            return data[offset + 8 : offset + 8 + length]
        # RIFF fills up to an even length.
        offset += 8 + length + (check_bytes or length % 2)
    return b""


def _tags(block: bytes) -> Iterator[tuple[str, float]]:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return
    (first,) = struct.unpack_from(order + "I", block, 4)
    for tag, value in _directory(block, order, first):
        if tag == EXIF_IFD:
            for inner, number in _directory(block, order, int(value)):
                if inner in _NAMES:
                    yield _NAMES[inner], number


def _directory(block: bytes, order: str, offset: int) -> Iterator[tuple[int, float]]:
    (count,) = struct.unpack_from(order + "H", block, offset)
    for entry in range(offset + 2, offset + 2 + 12 * min(count, MOST_ENTRIES), 12):
        tag, kind, values = struct.unpack_from(order + "HHI", block, entry)
        form = _FORMS.get(kind)
        if form and values == 1:
            place = entry + 8
            if len(form) == 2:  # a rational does not fit into the entry, which says where it lies
                (place,) = struct.unpack_from(order + "I", block, place)
            numbers = struct.unpack_from(order + form, block, place)
            yield tag, float(numbers[0]) if len(form) == 1 else numbers[0] / numbers[1] if numbers[1] else 0.0
