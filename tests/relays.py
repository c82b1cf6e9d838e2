"""A TCP relay on loopback, as a proxy or a network between a browser and a viewer."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from live_servers import LoopbackServer

BLOCK = 65536


class Relay(LoopbackServer):
    """Passes bytes on to a port of loopback and back.

    While `frozen` is set it passes nothing and closes nothing, like a cable that was pulled. With `host` it writes that
    into requests in place of the browser's Host, and without `websockets` it makes them plain requests, as proxies do
    that are not told to keep them.
    """

    def __init__(self, port: int, host: str | None = None, websockets: bool = True) -> None:
        self.frozen = threading.Event()
        self._to = port
        self._host = host
        self._websockets = websockets
        super().__init__(self._pass_on)

    def _pass_on(self, browser: socket.socket) -> None:
        with browser, suppress(OSError), socket.create_connection(("127.0.0.1", self._to), 5) as server:
            while not self._stopped.is_set():
                for one in select.select([browser, server], [], [], 0.02)[0]:
                    while self.frozen.is_set() and not self._stopped.wait(0.02):
                        pass
                    data = one.recv(BLOCK)
                    if not data:
                        return
                    other = server if one is browser else browser
                    other.sendall(self._rewritten(data) if one is browser else data)

    def _rewritten(self, data: bytes) -> bytes:
        # Browsers send the headers of a small request in one piece.
        if not data.startswith(b"GET "):
            return data
        lines = data.split(b"\r\n")
        if self._host:
            lines = [f"Host: {self._host}".encode() if line.startswith(b"Host:") else line for line in lines]
        if not self._websockets:
            lines = [line for line in lines if not line.startswith((b"Upgrade:", b"Connection:"))]
        return b"\r\n".join(lines)


@contextmanager
def relay(port: int, host: str | None = None, websockets: bool = True) -> Iterator[Relay]:
    """A relay to a port."""
    with closing(Relay(port, host, websockets)) as passing:
        yield passing
