"""What a phone wrote about its lens into a QuickTime or MP4 video: a reader of its metadata atoms alone."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

FOCAL_35MM = b"com.apple.quicktime.camera.focal_length.35mm_equivalent"
MOST_BYTES = 1 << 20
"""Of an atom that is read whole; the real ones have a few thousand."""
MOST_ATOMS = 1000
"""That are looked at beside one another."""
DEEPEST = 4
"""moov, trak, udta, meta."""
_PARENTS = (b"moov", b"trak", b"udta")
_NUMBERS = {
    (21, 1): "b",
    (21, 2): "h",
    (21, 4): "i",
    (21, 8): "q",
    (22, 1): "B",
    (22, 2): "H",
    (22, 4): "I",
    (22, 8): "Q",
    (23, 4): "f",
    (24, 8): "d",
    (65, 1): "b",
    (66, 2): "h",
    (67, 4): "i",
    (74, 8): "q",
    (75, 1): "B",
    (76, 2): "H",
    (77, 4): "I",
    (78, 8): "Q",
}
"""By well-known type and length (QuickTime File Format, table 3-5)."""
Atom = tuple[bytes, int, int]
"""A kind, and where its content begins and ends in the file."""


def video_focal_35mm(path: Path) -> float:
    """The focal length in mm of 35 mm film that a video file states; 0 where it states none, or is of another kind."""
    try:
        with path.open("rb") as file:
            return open_video_focal_35mm(file)
    except OSError:
        return 0.0


def open_video_focal_35mm(file: IO[bytes]) -> float:
    """As `video_focal_35mm`, of a file that is open; where it is read next is not kept."""
    try:
        # A file of another kind has no such atoms, or ends at once.
        return next(_stated(file, 0, file.seek(0, 2)), 0.0)
    except (OSError, struct.error, ValueError):
        return 0.0


def _stated(file: IO[bytes], start: int, end: int, depth: int = 1) -> Iterator[float]:
    """What the metadata of the film, or of one of its tracks, says: phones write it beside the picture's track."""
    for kind, first, last in _atoms(file, start, end):
        if kind in _PARENTS and depth < DEEPEST:
            yield from _stated(file, first, last, depth + 1)
        elif kind == b"meta":
            yield from _of_meta(file, first, last)


def _atoms(file: IO[bytes], start: int, end: int) -> Iterator[Atom]:
    for _ in range(MOST_ATOMS):
        if start + 8 > end:
            return
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:
            (length,), head = struct.unpack(">Q", file.read(8)), 16
        length = length or end - start
        if length < head or start + length > end:
            return
        yield kind, start + head, start + length
        start += length


def _of_meta(file: IO[bytes], start: int, end: int) -> Iterator[float]:
    """Keys by their number from 1 on, and a list of values that are called by the number of their key."""
    file.seek(start)
    # In an MP4 the atom has a version in front; in QuickTime it has none.
    start += 0 if file.read(8)[4:] == b"hdlr" else 4
    inner = {kind: (first, last) for kind, first, last in _atoms(file, start, end)}
    if b"keys" not in inner or b"ilst" not in inner:
        return
    keys = _read(file, *inner[b"keys"])
    offset, number = 8, 0
    while offset + 8 <= len(keys):
        length, number = int.from_bytes(keys[offset : offset + 4], "big"), number + 1
        if keys[offset + 8 : offset + length] == FOCAL_35MM:
            yield from _values(file, number, *inner[b"ilst"])
        offset += max(length, 8)


def _values(file: IO[bytes], number: int, start: int, end: int) -> Iterator[float]:
    for kind, first, last in _atoms(file, start, end):
        if int.from_bytes(kind, "big") == number:
            for part, begin, stop in _atoms(file, first, last):
                if part == b"data":
                    yield _number(_read(file, begin, stop))


def _number(data: bytes) -> float:
    """A value: its type, its country and language, and its bytes. Raises ValueError for one that is no number."""
    kind, content = int.from_bytes(data[:4], "big"), data[8:]
    if kind == 1:
        return float(content.decode("ascii", "replace"))
    form = _NUMBERS.get((kind, len(content)))
    if form is None:
        raise ValueError(kind)
    return float(struct.unpack(">" + form, content)[0])


def _read(file: IO[bytes], start: int, end: int) -> bytes:
    if end - start > MOST_BYTES:
        raise ValueError(end - start)
    file.seek(start)
    return file.read(end - start)
