"""What the first directory of a TIFF file says of its picture (TIFF revision 6.0, and BigTIFF)."""

import struct
from collections.abc import Collection
from typing import BinaryIO

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, BITS, SAMPLES = 256, 257, 258, 277
"""Tags: ImageWidth, ImageLength, BitsPerSample, SamplesPerPixel."""

_MOST_ENTRIES = 0xFFFF
"""libtiff refuses a directory of more."""
_FORMS = {3: "H", 4: "I", 16: "Q"}


def tiff_numbers(file: BinaryIO, tags: Collection[int]) -> dict[int, int]:
    """The numbers of these tags, the greatest where one stands twice; those that are missing are left out.

    `file` begins with one of `SIGNATURES`. Raises struct.error for a directory that is cut short or beyond the end.
    """
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    is_big = b"+" in head[2:4]
    (offset,) = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", head, 8 if is_big else 4)
    try:
        file.seek(offset)
    except (OSError, OverflowError, ValueError):
        raise struct.error(f"no file has a directory at {offset}") from None
    (count,) = struct.unpack(f"{order}{'Q' if is_big else 'H'}", file.read(8 if is_big else 2))
    length = 20 if is_big else 12
    directory = file.read(min(count, _MOST_ENTRIES) * length)
    found: dict[int, int] = {}
    for entry in range(0, len(directory), length):
        tag, kind = struct.unpack_from(f"{order}HH", directory, entry)
        if tag in tags and kind in _FORMS:
            (value,) = struct.unpack_from(order + _FORMS[kind], directory, entry + (12 if is_big else 8))
            found[tag] = max(found.get(tag, 0), value)
    return found
