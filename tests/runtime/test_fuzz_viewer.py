"""A fuzzed viewer: whatever comes over its sockets is answered, refused or cut off, and the server goes on."""

import logging
import re
import select
import socket
from collections.abc import Iterator
from contextlib import suppress

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from clipdepth.sources import Captured
from clipdepth.web import Address
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer.viewer import Viewer
from depth_frames import with_depth
from fuzzing import bounded, little_memory, spoiled
from live_servers import wait_until

TOKEN = "open sesame"
HEAD = "Host: localhost\r\nAuthorization: Bearer open sesame\r\nConnection: close\r\n"
UPGRADE = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
OPENING = f"GET /live/0 HTTP/1.1\r\n{HEAD.replace('close', 'Upgrade')}{UPGRADE}\r\n".encode()
REQUESTS = [
    f"GET / HTTP/1.1\r\n{HEAD}\r\n".encode(),
    f"GET /info?a=%00&b HTTP/1.1\r\n{HEAD}Origin: http://localhost\r\nAccept: */*\r\n\r\n".encode(),
    f"GET /viewer.js HTTP/1.1\r\n{HEAD}Range: bytes=0-9,20-\r\nIf-None-Match: x\r\n\r\n".encode(),
    f"HEAD /%2e%2e/metrics HTTP/1.1\r\n{HEAD}\r\n".encode(),
    f"POST /info HTTP/1.1\r\n{HEAD}Content-Length: 9\r\n\r\nsome text".encode(),
    f"PUT /metrics HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\ntext\r\n0\r\n\r\n".encode(),
    OPENING,
]
NEXT = b"\x81\x84\1\2\3\4" + bytes(a ^ b for a, b in zip(b"next", b"\1\2\3\4", strict=True))
MESSAGES = [
    NEXT,
    b"\x01\x82\0\0\0\0ne" + b"\x80\x82\0\0\0\0xt",
    b"\x89\x82\0\0\0\0hi" + NEXT,
    NEXT + b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x82\xfe\x01\x00\0\0\0\0" + bytes(256),
]


class Errors(logging.Handler):
    """Keeps what is logged as an error, such as an exception in the server."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def take(self) -> list[str]:
        """Those since the last time."""
        found, self.found = self.found, []
        return found

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


@pytest.fixture(scope="module")
def errors() -> Iterator[Errors]:
    handler = Errors()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    """A viewer that needs a token and has one picture."""
    viewer = open_viewer(Address("127.0.0.1", 0), TOKEN, Setup("none", "CPU", "fp32", 0.5, 5.0), metrics=True)
    sink = viewer.sink("camera")
    with viewer, little_memory(200):
        black = Captured(np.zeros((48, 64, 3), np.uint8), 0.0, 0)
        sink.write(with_depth(black, np.ones((48, 64), np.float32)))
        yield viewer


def exchange(viewer: Viewer, data: bytes, opening: bytes = b"", quiet: float = 0.03) -> bytes:
    """What comes back until the server closes; when it was quiet for so many seconds, we end our side.

    An `opening` is answered before `data` is sent.
    """
    answer = b""
    with socket.create_connection(("127.0.0.1", viewer.address.port), 5) as guest, suppress(ConnectionError):
        if opening:
            guest.sendall(opening)
            answer += guest.recv(65536)
        guest.sendall(data)
        while select.select([guest], [], [], quiet)[0]:
            if not (part := guest.recv(65536)):
                return answer
            answer += part
        guest.shutdown(socket.SHUT_WR)
        while part := guest.recv(65536):
            answer += part
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def test_sound_requests_and_messages_are_answered(viewer: Viewer, errors: Errors) -> None:
    """Else there would be nothing to spoil."""
    found = [statuses(exchange(viewer, request, quiet=0.5)) for request in REQUESTS]
    assert found == [[200], [200], [206], [404], [405], [405], [101]]
    codes = [close_code(exchange(viewer, message, OPENING, quiet=0.5)) for message in MESSAGES]
    assert codes == [None, None, None, 1000, 1009]
    assert errors.take() == []


@given(data=st.lists(st.sampled_from(REQUESTS).flatmap(spoiled) | st.binary(max_size=99), min_size=1, max_size=2))
@bounded(150)
def test_requests(viewer: Viewer, errors: Errors, data: list[bytes]) -> None:
    assert all(status < 500 for status in statuses(exchange(viewer, b"".join(data))))
    assert errors.take() == []


@given(data=st.lists(st.sampled_from(MESSAGES).flatmap(spoiled) | st.binary(max_size=99), min_size=1, max_size=3))
@bounded(150)
def test_messages(viewer: Viewer, errors: Errors, data: list[bytes]) -> None:
    answer = exchange(viewer, b"".join(data), OPENING)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert errors.take() == []


def close_code(answer: bytes) -> int | None:
    """The code of the close frame behind the handshake; None where there is none."""
    frames = answer.partition(b"\r\n\r\n")[2]
    while len(frames) >= 2:
        size, start = frames[1], 2
        if size >= 126:
            start += 2 if size == 126 else 8
            size = int.from_bytes(frames[2:start], "big")
        if frames[0] & 15 == 8:
            return int.from_bytes(frames[start : start + 2], "big") if size else 1005
        frames = frames[start + size :]
    return None


def test_the_server_goes_on(viewer: Viewer, errors: Errors) -> None:
    assert wait_until(lambda: not viewer.status.viewers, 10)
    assert statuses(exchange(viewer, REQUESTS[0])) == [200]
    assert errors.take() == []
