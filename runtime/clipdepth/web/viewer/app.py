"""The viewer's URLs."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from clipdepth.web.access import FULL, PROTOCOL, UNKNOWN, Access
from clipdepth.web.guard import Guard
from clipdepth.web.prometheus import CONTENT_TYPE_LATEST, exposition
from clipdepth.web.viewer.broadcast import Channel
from clipdepth.web.viewer.metrics import ViewerMetrics
from clipdepth.web.viewer.session import Session
from clipdepth.web.viewer.setup import Setup
from clipdepth.web.viewer.status import Status, describe

_FOLDER = Path(__file__).parent / "page"
PAGE = {f"/{path.relative_to(_FOLDER).as_posix()}": path for path in _FOLDER.rglob("*.*")}
PAGE["/"] = PAGE.pop("/index.html")
"""The page's files, which hold no secret, by their URLs."""
MAX_VIEWERS = 8


def make_app(setup: Setup, channels: list[Channel], status: Status, access: Access, *, metrics: bool) -> ASGIApp:
    """The page at /, /info and the WebSockets /live/0 … for it, and with `metrics` /metrics for Prometheus."""

    numbered = {str(number): channel for number, channel in enumerate(channels)}

    def file(request: Request) -> Response:
        return FileResponse(PAGE[request.url.path])

    async def info(_: Request) -> Response:
        about = describe(setup, [channel.name for channel in channels])
        return JSONResponse({**about, "max_viewers": MAX_VIEWERS, "full": status.viewers >= MAX_VIEWERS})

    async def numbers(_: Request) -> Response:
        found = exposition(ViewerMetrics(setup, status, access.refused))
        return Response(found, headers={"Content-Type": CONTENT_TYPE_LATEST})

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
    return Guard(Starlette(routes=routes), access, PAGE)
