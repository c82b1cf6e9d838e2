"""uvicorn in a thread of its own."""

import asyncio
import math
import socket
from threading import Event, Thread
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from clipdepth.web.access import BUSY, MALFORMED, STALLED, UNFINISHED, Access
from clipdepth.web.guard import HEADERS, answer
from clipdepth.web.protocols import counting_protocols

MAX_REQUEST = 16_384
"""The longest request line with headers, bytes."""
MAX_MESSAGE = 64
"""The longest message that a viewer may send, bytes."""
MAX_CONNECTIONS = 64
PING_S = 10
SLOW_REQUEST_S = 5
"""After twice this at most, a request that is not whole is given up, seconds."""
ANSWER_S = 60
"""How long a client may take to read an answer, seconds."""
FAREWELL_S = 0.2
"""How long connections of the viewer have to end by themselves, seconds."""


class Server(uvicorn.Server):
    """Serves an app, in a thread called `name`, from `start` until `stop`.

    At the end requests under way have `farewell_s` seconds to be answered; then their connections are cut.
    """

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        access: Access,
        name: str = "clipdepth-viewer",
        farewell_s: float = FAREWELL_S,
    ) -> None:
        http, websocket = counting_protocols(access)
        config = uvicorn.Config(
            self._limited,
            interface="asgi3",
            backlog=MAX_CONNECTIONS,  # asyncio takes so many in one go, before any can be sent away
            http=http,
            ws=websocket,
            ws_max_size=MAX_MESSAGE,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            callback_notify=self._drop_unfinished,
            timeout_notify=SLOW_REQUEST_S,
            timeout_graceful_shutdown=math.ceil(farewell_s) + 1,
            headers=HEADERS,
            h11_max_incomplete_event_size=MAX_REQUEST,
        )
        super().__init__(config)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._app, self._access = app, access
        self._listening = listening
        self._farewell_s = farewell_s
        self._ready = Event()
        self._unfinished: set[tuple[Any, object]] = set()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> asyncio.AbstractEventLoop:
        """Serve from now on; returns the event loop in which that happens."""
        self._thread.start()
        self._ready.wait()
        assert self.loop
        return self.loop

    def stop(self) -> None:
        """Close every connection and wait for the thread's end."""
        self.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve_here())
        finally:
            self._ready.set()

    async def _serve_here(self) -> None:
        self.loop = asyncio.get_running_loop()
        await self.serve([self._listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        self._ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn, which would wait for connections whose other end takes nothing."""
        asyncio.get_running_loop().call_later(self._farewell_s, self._abort_all)
        await super().shutdown(sockets)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, where not too many connections are open and the request is not too long.

        uvicorn's own limits count nothing, and do not see a long request that comes at once.
        """
        app = self._app
        if scope["type"] == "http":
            if len(self.server_state.connections) >= MAX_CONNECTIONS:
                app = answer(self._access.count(BUSY))
            elif _length(scope) > MAX_REQUEST:
                app = answer(self._access.count(MALFORMED))
            await self._in_time(app, scope, receive, send)
        else:
            await app(scope, receive, send)

    async def _in_time(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut the connection of a client that does not read its answer; uvicorn would wait for it."""
        timers: list[asyncio.TimerHandle] = []

        async def send_in_time(message: Message) -> None:
            # One timer for the whole answer: a wait with a limit for each of its pieces makes a task of each.
            if not timers:
                timers.append(asyncio.get_running_loop().call_later(ANSWER_S, self._cut, scope["client"]))
            await send(message)

        try:
            await app(scope, receive, send_in_time)
        finally:
            for timer in timers:
                timer.cancel()

    def _cut(self, client: object) -> None:
        self._access.count(STALLED)
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == client:
                connection.transport.abort()

    def _abort_all(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def _drop_unfinished(self) -> None:
        """End connections that since the last call neither began a request nor ended one; uvicorn would keep them.

        They sent only a part of a request, or do not read the end of an answer.
        """
        unfinished = {(connection, _cycle(connection)) for connection in self.server_state.connections}
        unfinished = {(connection, cycle) for connection, cycle in unfinished if _is_unfinished(cycle)}
        for connection, _ in unfinished & self._unfinished:
            if _has_begun(connection):
                self._access.count(UNFINISHED)
            elif connection.transport.get_write_buffer_size():
                self._access.count(STALLED)
            connection.transport.abort()
        self._unfinished = unfinished


def _cycle(connection: object) -> object:
    """What handles a connection's newest request, None before the first; a WebSocket has no such, but itself."""
    return getattr(connection, "cycle", connection)


def _is_unfinished(cycle: object) -> bool:
    """Whether no request is handled now."""
    return cycle is None or getattr(cycle, "response_complete", False)


def _has_begun(connection: object) -> bool:
    """Whether a part of a request came; browsers also open connections that they may need later."""
    return isinstance(connection, H11Protocol) and bool(connection.conn.trailing_data[0])


def _length(scope: Scope) -> int:
    """Of a request's path, query and headers, bytes, with four for each header's separators."""
    headers = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    return len(scope["raw_path"]) + len(scope["query_string"]) + headers
