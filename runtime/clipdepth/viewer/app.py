"""The viewer's URLs."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from clipdepth.viewer.access import FULL, PROTOCOL, UNKNOWN, UNSUITABLE, Access, Refusal
from clipdepth.viewer.broadcast import Channel
from clipdepth.viewer.metrics import CONTENT_TYPE_LATEST, exposition
from clipdepth.viewer.session import Session
from clipdepth.viewer.status import Setup, Status, describe

_FOLDER = Path(__file__).parent / "page"
PAGE = {f"/{path.relative_to(_FOLDER).as_posix()}": path for path in _FOLDER.rglob("*.*")}
PAGE["/"] = PAGE.pop("/index.html")
"""The page's files, which hold no secret, by their URLs."""
MAX_VIEWERS = 8
HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]
"""For every response."""


def make_app(setup: Setup, channels: list[Channel], status: Status, access: Access, *, metrics: bool) -> ASGIApp:
    """The page at /, /info and the WebSockets /live/0 … for it, and with `metrics` /metrics for Prometheus."""

    numbered = {str(number): channel for number, channel in enumerate(channels)}

    def file(request: Request) -> Response:
        return FileResponse(PAGE[request.url.path])

    async def info(_: Request) -> Response:
        about = describe(setup, [channel.name for channel in channels])
        return JSONResponse({**about, "max_viewers": MAX_VIEWERS, "full": status.viewers >= MAX_VIEWERS})

    async def numbers(_: Request) -> Response:
        return Response(exposition(setup, status, access.refused), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def nothing(socket: WebSocket) -> None:
        access.count(UNKNOWN)
        await socket.close()

    async def live(socket: WebSocket) -> None:
        number = socket.path_params["source"]
        if status.viewers >= MAX_VIEWERS:
            access.count(FULL)
            await socket.close()
        elif number not in numbered:
            await nothing(socket)
        else:
            await _seat(socket, numbered[number])

    async def _seat(socket: WebSocket, channel: Channel) -> None:
        status.viewers += 1
        try:
            await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
            await Session(socket, channel, status, access).run()
        finally:
            status.viewers -= 1

    routes: list[BaseRoute] = [Route(path, file) for path in PAGE]
    routes += [Route("/info", info)] + ([Route("/metrics", numbers)] if metrics else [])
    routes += [WebSocketRoute("/live/{source}", live), WebSocketRoute("/{path:path}", nothing)]
    return Guard(Starlette(routes=routes), access)


class Guard:
    """Lets through what `Access` does not refuse; everything but the page's files needs the token."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        refusal = self._access.refusal(scope, needs_token=scope["path"] not in PAGE)
        if refusal and scope["type"] == "websocket":
            # As 403. uvicorn would send another answer too, but log an error each time.
            await send({"type": "websocket.close"})
        else:
            await (answer(refusal) if refusal else self._app)(scope, receive, send if refusal else self._counted(send))

    def _counted(self, send: Send) -> Send:
        """Count what the app refuses by itself."""

        async def count_and_send(message: Message) -> None:
            if 400 <= message.get("status", 0) < 500:
                self._access.count(UNKNOWN if message["status"] == 404 else UNSUITABLE)
            await send(message)

        return count_and_send


def answer(refusal: Refusal) -> Response:
    """The response to a refused request."""
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Connection": "close"}}
    return PlainTextResponse(f"{refusal.text}\n", refusal.status, headers.get(refusal.status))
