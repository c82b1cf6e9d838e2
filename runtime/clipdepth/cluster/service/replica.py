"""A replica: the service's app with an engine of its own, in a process of Ray's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipdepth.camera.camera import Camera
from clipdepth.cluster.sent_model import SentModel
from clipdepth.errors import EngineError
from clipdepth.web.access import Access
from clipdepth.web.address import Address
from clipdepth.web.allowed import Allowed
from clipdepth.web.guard import HEADERS
from clipdepth.web.service.app import make_app
from clipdepth.web.service.counts import Served
from clipdepth.web.service.depth_maker import DepthMaker


@dataclass(frozen=True)
class Setup:
    """All that a replica needs to know; it is sent to every one."""

    model: SentModel
    camera: Camera
    address: Address
    token: str | None
    allowed: Allowed


class Replica:
    """What Ray Serve asks whether it works; it replaces one that does not."""

    app: Starlette
    """Made by Ray Serve."""

    def check_health(self) -> None:
        """See Ray Serve."""
        if not self.app.state.maker.works:
            raise EngineError("the engine failed")


def replica_app(setup: Setup) -> Starlette:
    """The app of a replica, with its own engine; raises as `SentModel.load`."""
    model = setup.model.load()
    manifest, engine = model.bundle.manifest, model.engine
    maker = DepthMaker(manifest, engine, setup.camera)
    served = Served(engine.name, engine.device, model.precision, maker.kind)
    app = make_app(maker, served, Access(setup.address, setup.token, setup.allowed), metrics=False)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with model:
            yield
            await asyncio.to_thread(maker.close)

    made = Starlette(routes=[Mount("/", app)], lifespan=lifespan, middleware=[Middleware(WithHeaders)])
    made.state.maker = maker
    return made


class WithHeaders:
    """Adds the headers of every response, which our own server adds by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        added = [(name.lower().encode(), value.encode()) for name, value in HEADERS]

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        await self._app(scope, receive, send_with)
