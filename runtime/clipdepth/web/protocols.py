"""uvicorn's protocols: they see connections and broken requests before the app does, and count and end those here.

uvicorn has no public way for that: pyproject.toml allows the versions in which these methods are known to be there.
"""

import asyncio
from collections.abc import Iterable
from ipaddress import ip_address

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from clipdepth.web.access import BUSY, MALFORMED, Access

MAX_OPEN = 128
"""Connections at once, also those that say nothing: each takes a file of the process."""
MAX_FROM_ONE = 32
"""Of one address; this machine's own may be a proxy's, which speaks for all."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
"""For a handshake that websockets ends without an answer, as it does before 17; Python 3.10 has 16 at most."""


def counting_protocols(access: Access) -> tuple[type[H11Protocol], type[WebSocketsSansIOProtocol]]:
    """Classes for HTTP and for WebSockets that count with `access`."""

    class Http(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """See uvicorn, which takes any number."""
            super().connection_made(transport)
            if is_crowded(self.client, [getattr(other, "client", None) for other in self.connections]):
                access.count(BUSY)
                transport.abort()

        def send_400_response(self, msg: str) -> None:
            """See uvicorn, which lets the app answer too where a body is broken, and logs a traceback for that."""
            access.count(MALFORMED)
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                super().send_400_response(msg)
            else:  # it has begun to answer
                self.transport.close()

    class WebSocket(WebSocketsSansIOProtocol):
        def handle_connect(self, event: Request) -> None:
            """See uvicorn. A key that is not ASCII counts as none: websockets before 17 logs a traceback for it."""
            if not all(key.isascii() for key in event.headers.get_all("Sec-WebSocket-Key")):
                del event.headers["Sec-WebSocket-Key"]
            super().handle_connect(event)

        def data_received(self, data: bytes) -> None:
            """See uvicorn, which lets a connection hang whose headers its library finds too long or too many."""
            opening = not self.handshake_initiated
            super().data_received(data)
            if opening and self.conn.handshake_exc:
                access.count(MALFORMED)
                if not self.handshake_complete:
                    self.transport.write(b"".join(self.conn.data_to_send()) or _TOO_LARGE)
                    self.transport.close()

        def send_receive_event_to_app(self) -> None:
            """See uvicorn, which logs a traceback for each text that is none; the app refuses it as bytes."""
            if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
                self.curr_msg_data_type = "bytes"
            super().send_receive_event_to_app()

    return Http, WebSocket


def is_crowded(client: tuple[str, int] | None, connected: Iterable[tuple[str, int] | None]) -> bool:
    """Whether there are too many connections, or too many of this client's; its own is one of them."""
    hosts = [other[0] if other else "" for other in connected]
    host = client[0] if client else ""
    is_own = not host or ip_address(host.partition("%")[0]).is_loopback
    return len(hosts) > MAX_OPEN or (not is_own and hosts.count(host) > MAX_FROM_ONE)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
