"""uvicorn has what the viewer uses beyond its documented interface, in the versions that pyproject.toml allows.

uvicorn has no public way to count broken requests, to limit connections by address, or to end a request that never
becomes whole. The viewer overrides methods of its protocols for that, so a new minor version is tried before it is
allowed: widen the pin when these tests and those of the viewer's server pass.
"""

import asyncio
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

pytest.importorskip("uvicorn")

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from clipdepth.web.protocols import counting_protocols
from clipdepth.web.server import Server as ViewerServer

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
HTTP = {"client", "conn", "connections", "cycle", "transport"}
CYCLE = {"disconnected", "message_event", "response_complete"}
WEBSOCKET = {
    "client",
    "conn",
    "curr_msg_data_type",
    "frames",
    "handshake_complete",
    "handshake_initiated",
    "transport",
}


async def app(scope: object, receive: object, send: object) -> None:
    """Answers nothing."""


@pytest.fixture
def made() -> Iterator[tuple[object, ...]]:
    """A server, and what protocols it makes for connections."""
    loop, config = (
        asyncio.new_event_loop(),
        Config(app, interface="asgi3", http="h11", ws="websockets-sansio", log_config=None),
    )
    config.load()
    server = Server(config)
    yield server, *(kind(config, server.server_state, {}, loop) for kind in (H11Protocol, WebSocketsSansIOProtocol))
    loop.close()


def own_methods(kind: type) -> set[str]:
    return {name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")}


def test_the_version_here_is_one_that_is_allowed() -> None:
    pins = set(re.findall(r'"uvicorn([^"]*)"', PYPROJECT.read_text(encoding="utf-8")))
    assert len(pins) == 1, "the extra and the group of developers ask for the same"
    (pin,) = pins
    assert "<" in pin
    assert version("uvicorn") in SpecifierSet(pin)


def test_what_is_overridden_is_there() -> None:
    http, websocket = counting_protocols(None)  # type: ignore[arg-type]
    assert own_methods(http) == {"connection_made", "send_400_response"} <= own_methods(H11Protocol)
    assert own_methods(websocket) <= own_methods(WebSocketsSansIOProtocol)
    assert own_methods(websocket) == {"data_received", "handle_connect", "send_receive_event_to_app"}
    assert own_methods(ViewerServer) & own_methods(Server) == {"startup", "shutdown"}


def test_what_is_read_is_there(made: tuple[object, ...]) -> None:
    server, http, websocket = made
    assert {"server_state", "should_exit"} <= vars(server).keys()
    assert vars(http).keys() >= HTTP
    assert vars(websocket).keys() >= WEBSOCKET
    assert set(RequestResponseCycle.__init__.__code__.co_names) >= CYCLE
    assert hasattr(http.conn, "trailing_data")  # type: ignore[attr-defined]
    assert hasattr(websocket.conn, "handshake_exc")  # type: ignore[attr-defined]
