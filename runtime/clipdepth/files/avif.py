"""What the boxes of an AVIF file say of its picture (ISO/IEC 14496-12 and 23008-12)."""

import struct
from collections.abc import Iterator

_PARENTS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0}
"""Boxes that lead to sizes, with the bytes before the boxes inside."""


def is_avif(data: bytes) -> bool:
    """Whether a file begins as an AVIF picture or sequence does."""
    return data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis")


def avif_size(data: bytes) -> tuple[int, int]:
    """Width and height, pixels, of the largest picture, tile or track that is stated; (0, 0) for none."""
    return max(_sizes(data, 0, len(data)), key=lambda size: size[0] * size[1], default=(0, 0))


def _sizes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    for kind, at, after in _boxes(data, start, end):
        if kind in _PARENTS:
            yield from _sizes(data, at + _PARENTS[kind], after)
        elif kind == b"ispe":
            yield struct.unpack_from(">II", data, at + 4)
        elif kind == b"tkhd":
            width, height = struct.unpack_from(">II", data, at + (88 if data[at] else 76))
            yield width >> 16, height >> 16


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each box's kind, and where its content begins and ends."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, content)
            content += 8
        after = start + size if size else end
        if not content <= after:
            return
        yield kind, content, min(after, end)
        start = after
