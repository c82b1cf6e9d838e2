"""uvicorn's protocols, which answer broken requests before the app hears of them; here they count those."""

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from clipdepth.viewer.access import MALFORMED, Access


def counting_protocols(access: Access) -> tuple[type[H11Protocol], type[WebSocketsSansIOProtocol]]:
    """Classes for HTTP and for WebSockets that count with `access`."""

    class Http(H11Protocol):
        def send_400_response(self, msg: str) -> None:
            """See uvicorn."""
            access.count(MALFORMED)
            super().send_400_response(msg)

    class WebSocket(WebSocketsSansIOProtocol):
        def data_received(self, data: bytes) -> None:
            """See uvicorn, which lets a connection hang whose headers its library finds too long or too many."""
            opening = not self.handshake_initiated
            super().data_received(data)
            if opening and self.conn.handshake_exc:
                access.count(MALFORMED)
                if not self.handshake_complete:
                    self.transport.write(b"".join(self.conn.data_to_send()))
                    self.transport.close()

        def send_receive_event_to_app(self) -> None:
            """See uvicorn, which logs a traceback for each text that is none; the app refuses it as bytes."""
            if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
                self.curr_msg_data_type = "bytes"
            super().send_receive_event_to_app()

    return Http, WebSocket


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
