"""The viewer's protocol, against real sockets: who gets in, what they get, and what bad guests can do."""

import http.client
import json
import logging
import socket
import struct
import threading
import time
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.pipeline.branch import State
from clipdepth.sources import Captured
from clipdepth.sources.frames import FramesSource
from clipdepth.web import Address, Allowed
from clipdepth.web.address import ServeError
from clipdepth.web.protocols import MAX_FROM_ONE, MAX_OPEN, is_crowded
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer.viewer import Viewer, ViewerSink
from depth_frames import with_depth
from live_servers import wait_until
from slow_stages import SIZE, SlowEngine

SETUP = Setup("slow", 'CPU "one"\\', "fp32", 0.5, 5.0)
TOKEN = "open sesame ü"
TOKEN_PROTOCOL = "token." + urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")


@pytest.fixture(autouse=True)
def no_error_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever guests do: a refusal is one warning."""
    yield
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


@contextmanager
def serving(
    token: str | None = None, sources: int = 1, metrics: bool = True, allowed: Allowed | None = None
) -> Iterator[tuple[Viewer, list[Any]]]:
    viewer = open_viewer(Address("127.0.0.1", 0), token, SETUP, metrics=metrics, allowed=allowed)
    sinks = [viewer.sink(f"camera {number}") for number in range(sources)]
    with viewer:
        yield viewer, sinks


def shot(index: int = 0, height: int = 48, width: int = 64) -> tuple[Captured, np.ndarray]:
    depth = np.random.default_rng(index).uniform(0.3, 6, (height, width)).astype(np.float32)
    return Captured(np.full((height, width, 3), (10, 120, 230), np.uint8), index / 10, index), depth


def get(viewer: Viewer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", viewer.address.port, timeout=5)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def look(viewer: Viewer, source: int | str = 0, protocols: tuple[str, ...] = ("clipdepth",), **options: Any) -> Any:
    url = f"ws://127.0.0.1:{viewer.address.port}/live/{source}"
    return connect(url, subprotocols=list(protocols), open_timeout=5, close_timeout=2, **options)


def next_frame(guest: Any, timeout: float = 5) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Ask for a frame and read it as its documentation says; statuses between are left out."""
    guest.send("next")
    message = guest.recv(timeout)
    while isinstance(message, str):
        message = guest.recv(timeout)
    (length,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + length])
    jpeg = message[4 + length : 4 + length + header["picture"]["bytes"]]
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    steps = np.frombuffer(zlib.decompress(message[4 + length + len(jpeg) :]), "<u2")
    depth = np.cumsum(steps.astype(np.int64)) % 65536
    return header, picture, depth.reshape(header["depth"]["height"], header["depth"]["width"])


def test_the_pinhole_sent_places_the_depth_sent() -> None:
    """Whatever the sizes of the network's depth and of the picture: `DepthFrame.points` is the truth."""
    frames = []
    with serving() as (viewer, [sink]), look(viewer) as guest:
        for height, width in ((48, 64), (240, 320), (357, 476), (480, 640)):
            captured, _ = shot(0, 480, 640)
            depth = np.full((height, width), 2.0, np.float32)
            frames.append(with_depth(captured, depth, Intrinsics(640, 480, 500.0, 510.0, 310.5, 250.25)))
            sink.write(frames[-1])
            header, _, millimetres = next_frame(guest)
            rows, columns = (pixels(*ends) for ends in zip((height, width), millimetres.shape, strict=True))
            pinhole = header["pinhole"]
            assert (pinhole["width"], pinhole["height"]) == (width, height)
            x = (columns - pinhole["cx"]) / pinhole["fx"] * 2
            y = (rows - pinhole["cy"]) / pinhole["fy"] * 2
            # The picture's own pixel whose centre is that pixel's, or between which it lies.
            points = frames[-1].points()
            assert np.allclose(x, np.interp((columns + 0.5) * 640 / width - 0.5, np.arange(640), points[0, :, 0]))
            assert np.allclose(y, np.interp((rows + 0.5) * 480 / height - 0.5, np.arange(480), points[:, 0, 1]))
        sink.write(with_depth(captured, depth, Intrinsics.unknown(640, 480)))
        assert next_frame(guest)[0]["pinhole"] is None


def pixels(length: int, cells: int) -> np.ndarray:
    """Which pixels of a row are sent."""
    return ((np.arange(cells) + 0.5) * length // cells).astype(int)


def read_to_the_end(guest: Any, timeout: float = 5) -> None:
    """Read what comes; raises as `recv` does at the end, or when nothing came for `timeout` seconds."""
    while True:
        guest.recv(timeout)


def raw(viewer: Viewer, data: bytes, timeout: float = 5) -> bytes:
    """Send bytes on a bare connection; what comes back until the server closes it."""
    with socket.create_connection(("127.0.0.1", viewer.address.port), timeout) as connection:
        connection.sendall(data)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
            if len(parts) > 100:
                break
    return b"".join(parts)


def test_a_viewer_gets_the_picture_and_the_depth_to_the_millimetre() -> None:
    with serving() as (viewer, [sink]), look(viewer) as guest:
        captured, depth = shot(7)
        depth[0, :4] = 0, np.nan, 70.0, 65.535
        sink.write(with_depth(captured, depth))
        header, picture, millimetres = next_frame(guest)
    assert guest.subprotocol == "clipdepth"
    assert (header["number"], header["frame"], header["time"]) == (0, 7, 0.7)
    assert header["camera"] == "told"
    assert 0 <= header["age"] < 5
    assert picture.shape == captured.frame.shape
    assert np.abs(picture.astype(int) - captured.frame).max() <= 3
    assert millimetres[0, :4].tolist() == [0, 0, 0, 65535]
    assert np.abs(millimetres[1:] - depth[1:].astype(float) * 1000).max() <= 0.5


def test_large_frames_are_reduced_and_depth_keeps_values_of_its_own() -> None:
    with serving() as (viewer, [sink]), look(viewer) as guest:
        captured, depth = shot(1, 720, 1280)
        sink.write(with_depth(captured, depth))
        _, picture, millimetres = next_frame(guest)
    assert picture.shape == (360, 640, 3)
    assert millimetres.shape == (180, 320)
    # The pixel in the middle of each cell of 4×4.
    assert np.abs(millimetres - depth[2::4, 2::4].astype(float) * 1000).max() <= 0.5


def test_each_ask_brings_one_frame_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth.web.viewer.session.STATUS_S", 0.2)
    with serving() as (viewer, [sink]), look(viewer) as guest:
        for index in range(10):
            sink.write(with_depth(*shot(index)))
        assert next_frame(guest)[0]["frame"] == 9
        guest.send("next")
        for _ in range(2):
            assert isinstance(guest.recv(3), str)  # statuses only, as nothing is newer
        sink.write(with_depth(*shot(10)))
        sink.write(with_depth(*shot(11)))
        kinds = [type(guest.recv(3)) for _ in range(3)]
        assert sorted(kinds, key=str) == [bytes, str, str]


def test_a_frame_that_waited_long_is_not_shown_to_a_newcomer() -> None:
    with serving() as (viewer, [sink]):
        sink.write(with_depth(*shot(0)))
        with look(viewer) as guest:
            assert next_frame(guest)[0]["frame"] == 0
        for index in (1, 2):
            sink.write(with_depth(*shot(index)))
        time.sleep(0.1)
        with look(viewer) as guest:
            assert next_frame(guest)[0]["frame"] == 2


def test_a_frame_says_when_it_was_taken_on_the_statuses_clock() -> None:
    with serving() as (viewer, [sink]):
        before = time.monotonic()
        sink.write(with_depth(*shot(0)))
        after = time.monotonic()
        time.sleep(0.4)
        with look(viewer) as guest:
            clock = json.loads(guest.recv(5))["clock"]
            told = time.monotonic()
            captured = next_frame(guest)[0]["captured"]
        rounded = 0.002
        assert before - rounded < captured < after + rounded
        assert after + 0.4 - rounded < clock < told + rounded


def test_sources_have_channels_of_their_own() -> None:
    with serving(sources=2) as (viewer, sinks):
        for index, sink in enumerate(sinks):
            sink.write(with_depth(*shot(index + 40)))
        with look(viewer, 0) as first, look(viewer, 1) as second:
            assert next_frame(first)[0]["frame"] == 40
            assert next_frame(second)[0]["frame"] == 41
        with pytest.raises(InvalidStatus) as refused, look(viewer, 2):
            pass
        assert refused.value.response.status_code == 403


def test_the_page_comes_with_a_strict_policy_and_refers_to_nothing_outside() -> None:
    with serving(TOKEN) as (viewer, _):
        page = Path(open_viewer.__code__.co_filename).parent / "page"
        scripts = [f"/{path.relative_to(page).as_posix()}" for path in page.rglob("*.js")]
        assert {"/viewer.js", "/cloud/cloud.js"} <= set(scripts)
        for path in ["/", "/viewer.css", *scripts, "/icon.svg"]:
            status, body, headers = get(viewer, path)
            assert status == 200, path
            assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert b"http://" not in body.replace(b'xmlns="http://www.w3.org/2000/svg"', b"")
            assert b"https://" not in body.replace(b"https://cam.example.org", b"")
            assert TOKEN.encode() not in body
        assert get(viewer, "/", "POST")[0] == 405
        assert get(viewer, "/", "HEAD")[:2] == (200, b"")


@pytest.mark.parametrize("path", ["/info", "/metrics", "/live/0", "/docs", "/../viewer.py", "/%2e%2e/app.py", "//"])
def test_nothing_but_the_page_is_there_without_the_token(path: str) -> None:
    with serving(TOKEN) as (viewer, _):
        assert get(viewer, path)[0] == 401
        assert get(viewer, path, Authorization="Bearer open sesame u")[0] == 401
        assert get(viewer, path, Authorization=f"Bearer {TOKEN}x".encode().decode("latin-1"))[0] == 401
        assert get(viewer, f"{path}?token={quote(TOKEN)}")[0] == 401
        good = get(viewer, path, Authorization=f"Bearer {TOKEN}".encode().decode("latin-1"))[0]
        assert good == (200 if path in ("/info", "/metrics") else 404)
        assert viewer.access.refused["token"] >= 3


@pytest.mark.parametrize(
    "protocols",
    [("clipdepth",), ("clipdepth", "token."), ("clipdepth", TOKEN_PROTOCOL[:-1]), (TOKEN_PROTOCOL + "a",), ("token",)],
)
def test_a_websocket_needs_the_token_among_its_subprotocols(protocols: tuple[str, ...]) -> None:
    with serving(TOKEN) as (viewer, [sink]):
        with pytest.raises(InvalidStatus) as refused, look(viewer, protocols=protocols):
            pass
        assert refused.value.response.status_code == 403
        sink.write(with_depth(*shot(3)))
        with look(viewer, protocols=("clipdepth", TOKEN_PROTOCOL)) as guest:
            assert guest.subprotocol == "clipdepth"  # the token is not sent back
            assert next_frame(guest)[0]["frame"] == 3


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost@evil.example", 421),
        ("192.168.1.5", 421),
        ("localhost.", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_on_loopback_only_names_of_loopback_are_answered(host: str, status: int) -> None:
    with serving() as (viewer, _):
        answer = raw(viewer, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert int(answer.split()[1]) == status


def test_a_page_of_another_site_is_refused() -> None:
    with serving() as (viewer, [sink]):
        sink.write(with_depth(*shot()))
        own = f"http://127.0.0.1:{viewer.address.port}"
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1", own + "1", "http://[", ""):
            assert get(viewer, "/info", Origin=origin)[0] == 403, origin
            with pytest.raises(InvalidStatus) as refused, look(viewer, additional_headers={"Origin": origin}):
                pass
            assert refused.value.response.status_code == 403
        assert get(viewer, "/info", Origin=own)[0] == 200
        with look(viewer, additional_headers={"Origin": own}) as guest:
            next_frame(guest)


PROXIES = {
    "keeps Host, as Caddy": ("cam.example.org", "https://cam.example.org", Allowed(hosts=("cam.example.org",))),
    "sends its own Host, as nginx": (
        "127.0.0.1:8000",
        "https://cam.example.org",
        Allowed((), ("https://cam.example.org",)),
    ),
    "sends a third": (
        "upstream:8000",
        "https://cam.example.org:8443",
        Allowed(("upstream",), ("https://cam.example.org:8443",)),
    ),
    "is asked by number": ("192.0.2.9", "https://192.0.2.9", Allowed(hosts=("192.0.2.9",))),
    "is asked by IPv6 number": ("[2001:DB8:0::9]", "https://[2001:db8:0::9]", Allowed(hosts=("2001:db8::9",))),
}


def proxied(viewer: Viewer, host: str, origin: str) -> tuple[int, int]:
    """The status of a request and of a WebSocket."""
    headers = f"Origin: {origin}\r\nSec-WebSocket-Protocol: clipdepth, {TOKEN_PROTOCOL}\r\n"
    bearer = f"Authorization: Bearer {TOKEN}\r\n"
    answer = raw(viewer, plain("/info", f"Origin: {origin}\r\n{bearer}", host=host))
    with socket.create_connection(("127.0.0.1", viewer.address.port), 5) as guest:
        guest.sendall(opening(headers=headers).replace(b"Host: localhost", f"Host: {host}".encode()))
        return int(answer.split()[1]), int(guest.recv(65536).split()[1])


@pytest.mark.parametrize(("host", "origin", "allowed"), PROXIES.values(), ids=PROXIES)
def test_a_proxy_is_refused_until_its_names_are_allowed(host: str, origin: str, allowed: Allowed) -> None:
    with serving(TOKEN) as (viewer, _):
        assert proxied(viewer, host, origin)[0] in (403, 421)
        assert proxied(viewer, host, origin)[1] == 403
    with serving(TOKEN, allowed=allowed) as (viewer, _):
        assert proxied(viewer, host, origin) == (200, 101)
        assert proxied(viewer, host, "https://evil.example") == (403, 403)
        assert proxied(viewer, host, "null") == (403, 403)
        assert proxied(viewer, "evil.example", origin) == (421, 403)
        assert proxied(viewer, "evil.example", "http://evil.example") == (421, 403)
        assert get(viewer, "/info")[0] == 401


def test_an_allowed_origin_is_no_other_scheme_port_or_name() -> None:
    with serving(TOKEN, allowed=Allowed(origins=("https://cam.example.org",))) as (viewer, _):
        for origin in (
            "http://cam.example.org",
            "https://cam.example.org:8443",
            "https://cam.example.org.evil.example",
        ):
            assert proxied(viewer, "localhost", origin) == (403, 403)
        assert proxied(viewer, "localhost", "https://Cam.Example.org") == (200, 101)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET " + b"a" * 40_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 10_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /info HTTP/1.1\r\nHost: localhost\r\nContent-Length: nine\r\n\r\n",
    ],
)
def test_a_bad_request_is_answered_with_an_error_or_nothing(data: bytes) -> None:
    with serving() as (viewer, [sink]):
        try:
            answer = raw(viewer, data)
        except ConnectionResetError:
            answer = b""
        assert not answer or answer.split()[1] in (b"400", b"421", b"431")
        sink.write(with_depth(*shot(5)))
        with look(viewer) as guest:
            assert next_frame(guest)[0]["frame"] == 5


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["Next"], 1008),
        (["next "], 1008),
        ([b"next"], 1008),
        ([""], 1008),
        (["next"] * 8, 1008),
        (["n" * 65], 1009),
        ([b"\0" * 100_000], 1009),
        ([["n" * 40, "n" * 40]], 1009),
    ],
)
def test_a_viewer_that_sends_anything_else_is_shown_the_door(messages: list[Any], code: int) -> None:
    def send_all_and_read(guest: Any) -> None:
        # The door may close before the last part of a message is sent.
        for message in messages:
            guest.send(message)
        read_to_the_end(guest)

    with serving() as (viewer, _):
        with look(viewer) as guest, pytest.raises(ConnectionClosed) as closed:
            send_all_and_read(guest)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == code
        assert wait_until(lambda: not viewer.status.viewers, 5)


def opening(path: str = "/live/0", headers: str = "") -> bytes:
    """The request of a WebSocket."""
    key = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n{key}\r\n{headers}\r\n".encode()


def plain(path: str = "/", headers: str = "", method: str = "GET", host: str = "localhost") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode()


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (plain("/info"), 401, "token"),
        (opening(), 403, "token"),
        (plain(host="evil.example"), 421, "host"),
        (plain(headers="Origin: http://evil.example\r\n"), 403, "origin"),
        (opening("/", "Origin: null\r\n"), 403, "origin"),
        (plain("/docs", f"Authorization: Bearer {TOKEN}\r\n"), 404, "unknown"),
        (opening("/live/1", f"Sec-WebSocket-Protocol: {TOKEN_PROTOCOL}\r\n"), 403, "unknown"),
        (opening("/elsewhere", f"Sec-WebSocket-Protocol: {TOKEN_PROTOCOL}\r\n"), 403, "unknown"),
        (plain(method="BREW"), 405, "unsuitable"),
        (plain(headers="Range: bytes=9-1\r\n"), 400, "unsuitable"),
        (plain(headers="Content-Length: 300000\r\n", method="POST") + bytes(10), 405, "unsuitable"),
        (plain(headers="Transfer-Encoding: chunked\r\n") + b"no size\r\n", 400, "malformed"),
        (b"\0\1\2\3\r\n\r\n", 400, "malformed"),
        (plain(headers=f"X: {'y' * 20_000}\r\n"), 400, "malformed"),
        (b"GET /" + b"a" * 40_000, 400, "malformed"),
        (opening().replace(b"Sec-WebSocket-Key", b"X"), 400, "malformed"),
        (opening().replace(b"dGhl", b"dGh\xe9"), 400, "malformed"),
        (opening().replace(b": 13", b": 12"), 400, "malformed"),
        (opening(headers="X: y\r\n" * 200), 431, "malformed"),
        (opening(headers=f"X: {'y' * 9000}\r\n"), 431, "malformed"),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else None,
)
def test_a_bad_request_is_counted_by_its_reason_and_logged_once(
    data: bytes, status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(TOKEN) as (viewer, _):
        for _ in range(3):
            answer = raw(viewer, data)
            assert int(answer.split()[1]) == status
        assert wait_until(lambda: viewer.access.refused[reason] == 3, 5)
        assert dict(viewer.access.refused) == {reason: 3}
        metrics = get(viewer, "/metrics", Authorization=f"Bearer {TOKEN}".encode().decode("latin-1"))[1]
    assert f'clipdepth_viewer_refused_total{{reason="{reason}"}} 3.0' in metrics.decode()
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x84\0\0\0\0Next", 1008),
        (b"\x81\x82\0\0\0\0\xff\xfe", 1008),
        (b"\x82\x84\0\0\0\0next", 1008),
        (b"\x81\xe5\0\0\0\0" + b"n" * 101, 1009),
        (b"\x81\x04next", 1002),
        (b"\xf1\x84\0\0\0\0next", 1002),
        (b"\x83\x84\0\0\0\0next", 1002),
        (b"\x80\x84\0\0\0\0next", 1002),
        (b"\x88\x81\0\0\0\0x", 1002),
    ],
)
def test_a_bad_message_is_counted_and_logged_once(data: bytes, code: int, caplog: pytest.LogCaptureFixture) -> None:
    with serving() as (viewer, _):
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", viewer.address.port), 5) as guest:
                guest.sendall(opening())
                assert guest.recv(65536).startswith(b"HTTP/1.1 101")
                guest.sendall(data)
                received = b""
                while part := guest.recv(65536):
                    received += part
                    if code.to_bytes(2, "big") in received:
                        break
            assert code.to_bytes(2, "big") in received
        assert wait_until(lambda: viewer.access.refused["message"] == 2, 5)
        assert dict(viewer.access.refused) == {"message": 2}
        assert not viewer.status.lost
    assert len(caplog.records) == 1


def test_who_leaves_in_order_is_not_lost_and_who_is_cut_off_is(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as (viewer, _):
        for _ in range(2):
            with look(viewer) as guest:
                guest.recv(5)
        assert wait_until(lambda: not viewer.status.viewers, 5)
        assert viewer.status.lost == 0
        for lost in (1, 2):
            deaf(viewer).close()
            assert wait_until(lambda lost=lost: viewer.status.lost == lost, 5)
        assert b"clipdepth_viewers_lost_total 2.0" in get(viewer, "/metrics")[1]
        with look(viewer) as guest:
            guest.recv(5)
            viewer.__exit__()
        assert viewer.status.lost == 2  # the server's own end is no loss
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "a viewer stopped reading or was cut off"
    ]


def test_only_so_many_may_look_and_who_leaves_makes_room() -> None:
    with serving() as (viewer, [sink]), ExitStack() as leaving:
        sink.write(with_depth(*shot()))
        guests = [leaving.enter_context(look(viewer)) for _ in range(8)]
        about = json.loads(get(viewer, "/info")[1])
        assert (about["full"], about["max_viewers"]) == (True, 8)
        with pytest.raises(InvalidStatus) as refused, look(viewer):
            pass
        assert refused.value.response.status_code == 403
        assert viewer.access.refused["full"] == 1
        guests.pop().close()
        assert wait_until(lambda: viewer.status.viewers == 7, 5)
        guests.append(leaving.enter_context(look(viewer)))
        for guest in guests:
            assert next_frame(guest)[0]["frame"] == 0


def deaf(viewer: Viewer) -> socket.socket:
    """A viewer that asks for as many frames as it may and never reads one."""
    guest = socket.socket()
    guest.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    guest.connect(("127.0.0.1", viewer.address.port))
    guest.sendall(opening())
    assert guest.recv(12) == b"HTTP/1.1 101"
    guest.sendall(b"\x81\x84\0\0\0\0next" * 4)
    return guest


def test_a_viewer_that_stops_reading_delays_nobody_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth.web.address.STALLED_MS", 1000)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    depth = np.random.default_rng(0).uniform(1, 5, (480, 640)).astype(np.float32)
    times, frames = [], 0
    with serving() as (viewer, [sink]), look(viewer) as reader, deaf(viewer):
        assert wait_until(lambda: viewer.status.viewers == 2, 5)
        deadline = time.monotonic() + 15
        while viewer.status.viewers > 1 and time.monotonic() < deadline:
            start = time.perf_counter()
            sink.write(with_depth(Captured(noise, frames / 10, frames), depth))
            times.append(time.perf_counter() - start)
            assert next_frame(reader)[0]["frame"] == frames
            frames += 1
        assert viewer.status.viewers == 1
        assert np.median(times) < 0.002
        assert frames > 5
        leaving = time.perf_counter()
    assert time.perf_counter() - leaving < 1


def test_half_open_and_silent_connections_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth.web.server.SLOW_REQUEST_S", 0.3)
    with serving() as (viewer, _):
        silent = [socket.create_connection(("127.0.0.1", viewer.address.port), 5) for _ in range(70)]
        for connection in silent[::2]:
            connection.sendall(b"GET / HT")
        status, _, headers = get(viewer, "/")
        assert (status, headers["Connection"]) == (503, "close")
        assert wait_until(lambda: get(viewer, "/")[0] == 200, 5)
        assert wait_until(lambda: viewer.access.refused["unfinished"] == 35, 5)
        assert viewer.access.refused["busy"] >= 1
        assert set(viewer.access.refused) == {"unfinished", "busy"}  # who only connected did nothing wrong
        for connection in silent:
            connection.close()


def test_writing_costs_next_to_nothing() -> None:
    with serving() as (viewer, [sink]), look(viewer):
        captured, depth = shot(0, 480, 640)

        def seconds() -> float:
            start = time.perf_counter()
            for _ in range(200):
                sink.write(with_depth(captured, depth))
            return time.perf_counter() - start

        # Of ten times the best: the others may have waited for a processor.
        assert min(seconds() for _ in range(10)) / 200 < 0.0005


def test_it_stops_within_a_second_whatever_is_connected() -> None:
    with ExitStack() as leaving:
        with serving() as (viewer, [sink]):
            guests = [leaving.enter_context(look(viewer)) for _ in range(3)]
            guests[0].send("next")
            half_open = leaving.enter_context(socket.create_connection(("127.0.0.1", viewer.address.port)))
            half_open.sendall(b"GET /")
            leaving.enter_context(deaf(viewer))
            # More than the system's buffers take.
            noise = np.random.default_rng(0).integers(0, 256, (8000, 640, 3), dtype=np.uint8)
            sink.write(with_depth(Captured(noise, 0.0, 0), np.ones((8000, 640), np.float32)))
            assert wait_until(lambda: viewer.status.sent > 0, 10)
            start = time.perf_counter()
        assert time.perf_counter() - start < 1
        assert not [thread for thread in threading.enumerate() if thread.name == "clipdepth-viewer"]
        with pytest.raises(ConnectionClosed) as closed:
            read_to_the_end(guests[1])
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1012
        sink.write(with_depth(*shot(1)))  # a pipeline that ends later is not disturbed


def test_a_port_in_use_is_said_in_a_line() -> None:
    with serving() as (viewer, _):
        second = open_viewer(viewer.address, None, SETUP)
        with pytest.raises(ServeError, match=r"^cannot serve at 127.0.0.1:\d+: .*in use; give another with --serve"):
            second.__enter__()


def test_the_status_and_the_metrics_are_the_pipelines() -> None:
    with serving() as (viewer, [sink]):
        source = FramesSource([np.full((48, 64, 3), 9, np.uint8)] * 12, name='a "b"\\\n')
        with Pipeline(SlowEngine(0.01), [SIZE], [Feed(source, [sink])]) as pipeline:
            viewer.watch(pipeline)
            assert pipeline.wait(30)
        branch = pipeline.branches[0]
        branch.counts.dropped["engine"] = 5
        with look(viewer) as guest:
            status = json.loads(guest.recv(5))
            assert next_frame(guest)[0]["frame"] == 11
        code, body, headers = get(viewer, "/metrics")
    assert status["sources"] == [
        {
            "name": source.name,
            "captured": 12,
            "processed": 12,
            "novel": None,
            "measured": None,
            "dropped": {"engine": 5},
            "losses": 0,
            "state": "ended",
        }
    ]
    assert status["latency"]["engine"]["p50"] >= 10
    assert code == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    name = source.name
    assert found["clipdepth_frames_captured_total", name] == 12
    assert found["clipdepth_frames_processed_total", name] == 12
    assert found["clipdepth_frames_dropped_total", name, "engine"] == 5
    states = {state: found[("clipdepth_source_state", *sorted((name, state)))] for state in get_args(State)}
    assert states == {"waiting": 0, "running": 0, "lost": 0, "ended": 1, "failed": 0}
    assert found["clipdepth_viewer_messages_total",] == 1
    latency = pipeline.times.summary()
    assert found["clipdepth_latency_seconds_count", "engine"] == 12
    assert found["clipdepth_latency_seconds_bucket", "+Inf", "engine"] == 12
    assert found["clipdepth_latency_seconds_bucket", "0.005", "engine"] == 0  # the engine sleeps for 10 ms
    assert found["clipdepth_latency_seconds_sum", "capture_to_depth"] == pytest.approx(
        12 * latency["capture_to_depth"].mean / 1000
    )
    info = next(key for key in found if key[0] == "clipdepth_info")
    assert SETUP.device in info


def test_metrics_are_there_only_when_asked_for() -> None:
    with serving(metrics=False) as (viewer, _):
        assert get(viewer, "/metrics")[0] == 404


def test_a_sink_does_not_let_the_pipeline_wait_for_viewers() -> None:
    with serving() as (viewer, [sink]), look(viewer) as guest:
        assert isinstance(sink, ViewerSink)
        frames = [np.full((48, 64, 3), 9, np.uint8)] * 200
        guest.send("next")
        with Pipeline(SlowEngine(), [SIZE], [Feed(FramesSource(frames), [sink])]) as pipeline:
            assert pipeline.wait(20)
        assert pipeline.processed == 200
        assert viewer.status.sent <= 2


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_idle_connections_are_sent_away_at_the_door() -> None:
    guests = 300
    with serving() as (viewer, _):
        with ExitStack() as idle:
            before = open_files()
            for _ in range(guests):
                idle.callback(socket.create_connection(("127.0.0.1", viewer.address.port), 5).close)
            assert wait_until(lambda: viewer.access.refused["busy"] >= guests - MAX_OPEN, 10)
            assert wait_until(lambda: open_files() <= before + guests + MAX_OPEN, 10)
        assert wait_until(lambda: get(viewer, "/")[0] == 200, 10)


def test_one_address_cannot_take_all_seats() -> None:
    mine, theirs, own = ("192.0.2.1", 5), ("192.0.2.2", 5), ("127.0.0.1", 5)
    assert not is_crowded(mine, [mine] * MAX_FROM_ONE)
    assert is_crowded(mine, [mine] * (MAX_FROM_ONE + 1))
    assert not is_crowded(theirs, [mine] * 60 + [theirs])
    assert not is_crowded(own, [own] * MAX_OPEN)
    assert is_crowded(own, [own] * (MAX_OPEN + 1))
    assert is_crowded(("fe80::1%eth0", 5), [("fe80::1%eth0", 6)] * (MAX_FROM_ONE + 1))
    assert not is_crowded(None, [None])


def test_a_source_of_5000_digits_is_no_source() -> None:
    with serving() as (viewer, _):
        for number in ("9" * 5000, "-1", "1e3", "0x0", "٠", "%20"):
            with pytest.raises(InvalidStatus) as refused, look(viewer, quote(number)):
                pass
            assert refused.value.response.status_code == 403
        assert get(viewer, "/live/" + "9" * 5000)[0] == 404
