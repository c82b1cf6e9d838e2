"""Real servers on loopback: MJPEG over HTTP, RTSP where GStreamer's server is installed, and a web server of files."""

import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

RTSP_SERVER = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
if not Gst.ElementFactory.find("x264enc"):
    raise ImportError("x264enc")
port, width, height = sys.argv[1:]
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_shared(True)
factory.set_launch(
    f"( videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},framerate=30/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 )"
)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""
DEBIAN_PYTHON = "/usr/bin/python3"


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class LoopbackServer:
    """Listens on a port of loopback, any free one by default, and gives each connection to `serve` in a thread."""

    def __init__(self, serve: Callable[[socket.socket], None], port: int = 0) -> None:
        self._serve = serve
        self._stopped = threading.Event()
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = int(self._server.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Cut all connections and stop listening."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with self._server:
            while not self._stopped.is_set():
                if select.select([self._server], [], [], 0.02)[0]:
                    thread = threading.Thread(target=self._serve, args=[self._server.accept()[0]])
                    self._threads.append(thread)
                    thread.start()


class MjpegServer(LoopbackServer):
    """Sends flat JPEG pictures to all who ask, `fps` a second, counting the brightness up; may be killed and stall.

    With `pictures` those are sent, again and again; with `login`, a user and password in base64, only to those who
    send it.
    """

    def __init__(
        self,
        port: int,
        height: int = 48,
        width: int = 64,
        fps: float = 60,
        login: bytes = b"",
        pictures: Sequence[np.ndarray] = (),
    ) -> None:
        self.requests: list[bytes] = []
        self.stalled = threading.Event()
        self._shape = (height, width, 3)
        self._jpegs = [jpeg(picture) for picture in pictures]
        self._period = 1 / fps
        self._login = login
        super().__init__(self._send, port)

    def _send(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self.requests.append(connection.recv(4096))
            if self._login not in self.requests[-1]:
                connection.sendall(b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\r\n")
                return
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n")
            level = 0
            while not self._stopped.wait(self._period):
                if not self.stalled.is_set():
                    data = self._picture(level)
                    head = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
                    connection.sendall(head + data + b"\r\n")
                    level += 1

    def _picture(self, number: int) -> bytes:
        if self._jpegs:
            return self._jpegs[number % len(self._jpegs)]
        return jpeg(np.full(self._shape, number % 256, np.uint8))


def jpeg(picture: np.ndarray) -> bytes:
    """A picture, (H, W, 3) uint8 BGR, as JPEG."""
    return cv2.imencode(".jpg", picture)[1].tobytes()


@contextmanager
def mjpeg_server(
    port: int = 0,
    height: int = 48,
    width: int = 64,
    fps: float = 60,
    login: bytes = b"",
    pictures: Sequence[np.ndarray] = (),
) -> Iterator[tuple[str, MjpegServer]]:
    """A server and its URL."""
    port = port or free_port()
    server = MjpegServer(port, height, width, fps, login, pictures)
    try:
        yield f"http://127.0.0.1:{port}/camera", server
    finally:
        server.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """A web server of a folder's files, and its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def rtsp_server(port: int, height: int, width: int) -> Iterator[str]:
    """GStreamer's RTSP server in a process that is killed at the end; skips where it is not installed."""
    if not (sys.platform == "linux" and Path(DEBIAN_PYTHON).exists()):
        pytest.skip("needs Debian's Python and python3-gi")
    command = [DEBIAN_PYTHON, "-c", RTSP_SERVER, str(port), str(width), str(height)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stderr
        if process.stdout.readline() != "ready\n":
            missing = process.stderr.read()[-80:].strip()
            pytest.skip(f"needs GStreamer's RTSP server (Debian: the packages of tests/debian.txt): {missing}")
        yield f"rtsp://127.0.0.1:{port}/camera"
    finally:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether `condition`, a callable, becomes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()
