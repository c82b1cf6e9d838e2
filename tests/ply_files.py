"""A reader of the PLY files that clipdepth writes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PLY_TYPES = {"float": "<f4", "uchar": "u1"}


def read_ply(path: Path) -> dict[str, NDArray[np.float64]]:
    """The columns of a PLY file's only element, which must be binary little endian vertices."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    magic, kind, camera, element, *properties = header.decode("ascii").splitlines()
    assert camera.startswith("comment camera ")
    assert (magic, kind) == ("ply", "format binary_little_endian 1.0")
    assert element.split()[:2] == ["element", "vertex"]
    fields = [(line.split()[2], PLY_TYPES[line.split()[1]]) for line in properties]
    size = sum(np.dtype(code).itemsize for _, code in fields)
    count = int(element.split()[2])
    assert len(body) == size * count
    table = np.frombuffer(body, np.uint8).reshape(count, size)
    columns, start = {}, 0
    for name, code in fields:
        width = np.dtype(code).itemsize
        columns[name] = table[:, start : start + width].copy().view(code)[:, 0].astype(np.float64)
        start += width
    return columns
