"""Requests that no browser on the viewer's page makes, over HTTP and WebSocket, and how to send them."""

import socket
import struct
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

TOKEN = "correct horse battery"
HOST = "Host: localhost\r\n"
BEARER = f"Authorization: Bearer {TOKEN}\r\n"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = "Sec-WebSocket-Version: 13\r\n"
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
LONGEST_S = 30.0
"""How long an answer is waited for."""


@dataclass(frozen=True)
class BadRequest:
    """Bytes to send on a new connection, and, for a WebSocket that was let in, bytes to send then."""

    kind: str
    first: bytes
    then: bytes = b""


def bad_requests() -> list[BadRequest]:
    """All of them."""
    return [*_tokens(), *_places(), *_sizes_and_noise(), *_handshakes(), *_messages()]


def _tokens() -> Iterator[BadRequest]:
    wrong = ("", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer " + "a" * 4000)
    for place in ("/info", "/metrics"):
        for value in wrong:
            yield BadRequest("wrong token", _get(place, f"Authorization: {value}\r\n" if value else ""))
    yield BadRequest("wrong token", _get(f"/info?token={TOKEN.replace(' ', '%20')}"))
    for offered in ("clipdepth", "token.", protocol(TOKEN[:-1]), protocol(TOKEN + "x"), f"token.{TOKEN}"):
        yield BadRequest("wrong token", upgrade(f"Sec-WebSocket-Protocol: {offered}\r\n"))


def _places() -> Iterator[BadRequest]:
    for origin in ("http://evil.example", "null", "http://localhost:1"):
        yield BadRequest("wrong origin", _get("/info", f"{BEARER}Origin: {origin}\r\n"))
        yield BadRequest("wrong origin", upgrade(f"{_permit()}Origin: {origin}\r\n"))
    for host in ("evil.example", "localhost@evil.example", "", "192.0.2.1"):
        yield BadRequest("wrong host", f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    for path in ("/docs", "/../app.py", "/%2e%2e/app.py", "//", "/live/0", "/\x7f", "/%00"):
        yield BadRequest("unknown path", _get(path, BEARER))
    for path in ("/live/7", "/live/x", "/elsewhere"):
        yield BadRequest("unknown path", upgrade(_permit(), path))
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
        yield BadRequest("bad method", _get("/", BEARER, method))


def _sizes_and_noise() -> Iterator[BadRequest]:
    head = f"GET / HTTP/1.1\r\n{HOST}"
    yield BadRequest("huge header", b"GET /" + b"a" * 100_000)
    yield BadRequest("huge header", f"{head}X: {'y' * 100_000}\r\n\r\n".encode())
    yield BadRequest("huge header", (head + "X: y\r\n" * 10_000 + "\r\n").encode())
    body = "Connection: close\r\nContent-Length: 10000000\r\n\r\n"
    yield BadRequest("huge body", f"POST / HTTP/1.1\r\n{HOST}{body}".encode() + bytes(10_000_000))
    yield BadRequest("huge body", f"POST /info HTTP/1.1\r\n{HOST}{body}".encode() + bytes(10_000_000))
    noise = (b"\0\1\2\3\r\n\r\n", b"\x16\3\1\2\0\1\0\1\xfc\3\3", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n")
    for data in noise:
        yield BadRequest("garbage", data)
    yield BadRequest("garbage", f"POST / HTTP/1.1\r\n{HOST}Content-Length: nine\r\n\r\n".encode())
    yield BadRequest("garbage", f"GET / HTTP/1.1\r\n{HOST}{HOST}\r\n".encode())
    yield BadRequest("half a request", f"GET / HTTP/1.1\r\n{HOST}".encode())


def _handshakes() -> Iterator[BadRequest]:
    whole = upgrade(_permit()).decode()
    yield BadRequest("bad handshake", whole.replace(KEY, "").encode())
    yield BadRequest("bad handshake", whole.replace(KEY, "Sec-WebSocket-Key: short\r\n").encode())
    yield BadRequest("bad handshake", whole.replace(VERSION, "Sec-WebSocket-Version: 12\r\n").encode())
    yield BadRequest("bad handshake", whole.replace("GET", "POST").encode())
    yield BadRequest("bad handshake", upgrade(_permit() + "X: y\r\n" * 200))
    yield BadRequest("bad handshake", upgrade(f"{_permit()}X: {'y' * 9000}\r\n"))


def _messages() -> Iterator[BadRequest]:
    good = upgrade(_permit())
    bad = (
        frame(1, b"Next"), frame(1, b""), frame(2, b"next"), frame(1, b"\xff\xfe"), frame(1, b"n" * 100),
        frame(2, bytes(100_000)), frame(1, b"next") * 9, frame(3, b"next"), frame(9, bytes(200)), frame(8, b"x"),
        frame(0, b"next"), b"\xf1" + frame(1, b"next")[1:], b"\x81\x04next", b"\x01" + frame(1, b"n" * 60)[1:] * 2,
    )  # fmt: skip
    for data in bad:
        yield BadRequest("bad message", good, data)


def _get(path: str, headers: str = "", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\n{HOST}Connection: close\r\n{headers}\r\n".encode()


def upgrade(headers: str, path: str = "/live/0") -> bytes:
    """A request for a WebSocket."""
    return f"GET {path} HTTP/1.1\r\n{HOST}{UPGRADE}{VERSION}{KEY}{headers}\r\n".encode()


def _permit() -> str:
    return f"Sec-WebSocket-Protocol: clipdepth, {protocol(TOKEN)}\r\n"


def protocol(token: str) -> str:
    """The subprotocol that carries a token."""
    return "token." + urlsafe_b64encode(token.encode()).decode().rstrip("=")


def frame(opcode: int, data: bytes) -> bytes:
    """A WebSocket frame, masked with zeros (RFC 6455, section 5.2)."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = struct.pack(">BH", 0x80 | 126, size) if size < 65536 else struct.pack(">BQ", 0x80 | 127, size)
    return bytes([0x80 | opcode]) + length + bytes(4) + data


def answer(port: int, request: BadRequest) -> str:
    """The HTTP status; or how a WebSocket that was let in ended: its close code or 'closed'; 'hung' for neither."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), LONGEST_S) as connection, suppress(ConnectionError):
        connection.settimeout(LONGEST_S)
        try:
            connection.sendall(request.first)
            received = connection.recv(65536)
            if request.then and received.startswith(b"HTTP/1.1 101"):
                connection.sendall(request.then)
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            return "hung"
    status = received.split()[1].decode() if received.startswith(b"HTTP/1.1 ") else "closed"
    return _close_code(received) if status == "101" else status


def _close_code(received: bytes) -> str:
    """The code in the last frame of an answer, if that is a close frame; servers' frames have no mask."""
    for place in range(len(received) - 4, -1, -1):
        if received[place] == 0x88 and place + 2 + received[place + 1] == len(received):
            return str(struct.unpack_from(">H", received, place + 2)[0])
    return "closed"
