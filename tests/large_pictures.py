"""Small files of pictures that would take gigabytes."""

import struct
import zlib
from pathlib import Path


def write_huge_png(path: Path, width: int = 30_000, height: int = 30_000, bits: int = 1) -> None:
    """Write a valid, black, grey PNG of `bits` a pixel, row by row (PNG specification, sections 5 to 11)."""
    packer, row = zlib.compressobj(1), bytes(1 + (width * bits + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b""))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
