"""Whether a file that is given as a picture looks like depth instead."""

import re
import struct
from pathlib import Path, PurePath
from typing import BinaryIO

from clipdepth.files.tiff import BITS, SAMPLES, SIGNATURES, tiff_numbers

_DEPTH_NAME = re.compile(r"(?<![a-z])(depth|disp|disparity)(map|img|image)?s?(?![a-z])")


def depth_likeness(file: BinaryIO) -> str:
    """What depth the file looks like, such as '16-bit grey PNG'; '' for one that looks like a picture.

    One channel of 16 bits or more is how depth is kept. Colour of 16 bits a channel is a picture.
    """
    head = file.read(26)
    file.seek(0)
    if head.startswith(b"\x89PNG"):
        # PNG specification, IHDR: bit depth and colour type, of which 0 and 4 are grey.
        return "16-bit grey PNG" if head[24:25] == b"\x10" and head[25:26] in (b"\0", b"\4") else ""
    if head[:4] in SIGNATURES:
        try:
            numbers = tiff_numbers(file, (BITS, SAMPLES))
        except struct.error:  # a damaged file, which is told when it is decoded
            return ""
        bits = numbers.get(BITS, 1)
        return f"{bits}-bit grey TIFF" if bits >= 16 and numbers.get(SAMPLES, 1) == 1 else ""
    return ""


def file_likeness(path: Path) -> str:
    """`depth_likeness` of the file at `path`; '' for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return depth_likeness(file)
    except OSError:
        return ""


def is_named_like_depth(name: str) -> bool:
    """Whether a file's name says that it is depth: depth_0001.png, 0001-depth.png, left.disparity.jpg."""
    return _DEPTH_NAME.search(PurePath(name).stem.lower()) is not None
