"""The cameras that Linux knows as video devices, and their modes, as the kernel's V4L2 tells them."""

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clipdepth.sources.found import FoundCamera
from clipdepth.sources.mode import CameraMode

QUERYCAP, ENUM_FMT, ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
"""Numbers of requests, which hold the size of their structs; see linux/videodev2.h."""
_CAPABILITY, _FORMAT, _SIZE, _INTERVAL = "16s32s32sIII12x", "III32sI16x", "III24s8x", "IIIII24s8x"
_CAPTURE = 1
_DISCRETE = 1
_HAS_OWN_CAPS = 0x80000000
_MOST = 256
"""Of formats, sizes and intervals, should a driver never end."""


def video_devices(folder: Path = Path("/dev")) -> list[FoundCamera]:
    """The cameras among the device files of `folder`, by their numbers; devices that only encode are left out."""
    numbered = {int(file.name[5:]): file for file in folder.glob("video*") if re.fullmatch(r"video[0-9]+", file.name)}
    found = [_device(numbered[number]) for number in sorted(numbered)]
    return [device for device in found if device is not None]


def _device(path: Path) -> FoundCamera | None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return FoundCamera(str(path), path.name, problem=error.strerror)
    try:
        asked = _ask(handle, QUERYCAP, _CAPABILITY, b"", b"", b"", 0, 0, 0)
        if asked is None:
            return None
        _, card, _, _, capabilities, own = asked
        if not (own if capabilities & _HAS_OWN_CAPS else capabilities) & _CAPTURE:
            return None
        return FoundCamera(str(path), card.rstrip(b"\0").decode(errors="replace"), tuple(_modes(handle)))
    finally:
        os.close(handle)


def _modes(handle: int) -> Iterator[CameraMode]:
    """Each format, size and rate; of sizes in steps the smallest and the largest."""
    for number in range(_MOST):
        answer = _ask(handle, ENUM_FMT, _FORMAT, number, _CAPTURE, 0, b"", 0)
        if answer is None:
            return
        code = answer[4]
        fourcc = code.to_bytes(4, "little").decode("latin-1")
        fourcc = fourcc if fourcc.isascii() and fourcc.isprintable() else None
        for width, height in _sizes(handle, code):
            rates: list[float | None] = [*_rates(handle, code, width, height)]
            yield from (CameraMode(width, height, rate, fourcc) for rate in rates or [None])


def _sizes(handle: int, code: int) -> Iterator[tuple[int, int]]:
    for number in range(_MOST):
        answer = _ask(handle, ENUM_FRAMESIZES, _SIZE, number, code, 0, b"")
        if answer is None:
            return
        _, _, kind, sizes = answer
        if kind == _DISCRETE:
            yield struct.unpack_from("2I", sizes)
            continue
        least_width, most_width, _, least_height, most_height, _ = struct.unpack("6I", sizes)
        yield least_width, least_height
        yield most_width, most_height
        return


def _rates(handle: int, code: int, width: int, height: int) -> Iterator[float]:
    """Frames a second; of intervals in steps the shortest's and the longest's."""
    for number in range(_MOST):
        answer = _ask(handle, ENUM_FRAMEINTERVALS, _INTERVAL, number, code, width, height, 0, b"")
        if answer is None:
            return
        kind, intervals = answer[4:]
        seconds = struct.unpack("6I", intervals)[: 2 if kind == _DISCRETE else 4]
        yield from (below / above for above, below in zip(seconds[::2], seconds[1::2], strict=True) if above)
        if kind != _DISCRETE:
            return


def _ask(handle: int, request: int, layout: str, *given: int | bytes) -> tuple[Any, ...] | None:
    """The driver's answer to a request; None where it has none, as after the last of a list."""
    from fcntl import ioctl  # which Windows does not have

    buffer = bytearray(struct.pack(layout, *given))
    try:
        ioctl(handle, request, buffer)
    except OSError:
        return None
    return struct.unpack(layout, buffer)
