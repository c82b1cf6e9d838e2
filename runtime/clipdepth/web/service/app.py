"""The service's URLs."""

import logging

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from clipdepth.errors import NotMetricError, SourceError, UnknownCameraError, UsageError
from clipdepth.files.foreign import shown
from clipdepth.web.access import BUSY, UNFINISHED, Access, Refusal
from clipdepth.web.guard import Guard, refuse
from clipdepth.web.prometheus import CONTENT_TYPE_LATEST, exposition
from clipdepth.web.service.answers import wanted_form, wanted_step
from clipdepth.web.service.counts import Counts, Served, ServiceMetrics
from clipdepth.web.service.depth_maker import DepthMaker, Made
from clipdepth.web.service.limits import MAX_AT_ONCE
from clipdepth.web.service.refused import Refused
from clipdepth.web.service.request import raw_size, read_body, told_camera

_LOG = logging.getLogger(__name__)

HEALTH = "/health"
PIECE = 1 << 16
"""Bytes of an answer that are sent at a time, so that one who reads slowly is noticed."""


def make_app(maker: DepthMaker, served: Served, access: Access, *, metrics: bool) -> ASGIApp:
    """POST /depth, GET /health, which needs no token, and with `metrics` /metrics for Prometheus."""
    counts = Counts()

    async def depth(request: Request) -> Response:
        if counts.under_way >= MAX_AT_ONCE:
            return refuse(request, BUSY, access)
        counts.under_way += 1
        try:
            return await _answer(request)
        except Refused as refused:
            return refuse(request, refused.refusal, access)
        except (SourceError, UsageError, NotMetricError, UnknownCameraError) as error:
            return refuse(request, Refusal(422, "camera", str(error)), access)
        except ClientDisconnect:
            return refuse(request, UNFINISHED, access)
        except Exception as error:
            # Whatever the engine's library raised: a client sees no trace of it.
            counts.failed += 1
            _LOG.error("a picture has no depth: %s", shown(str(error)))
            return PlainTextResponse("the engine failed; see the service's log\n", 500)
        finally:
            counts.under_way -= 1

    async def _answer(request: Request) -> Response:
        headers, query = request.headers, request.query_params
        form, step = wanted_form(headers, query), wanted_step(query)
        raw, told = raw_size(query), told_camera(headers)
        made = await maker.make(await read_body(request), raw, told, form, step)
        counts.answered[form.media_type] += 1
        counts.batches[made.batch] += 1
        for stage, seconds in made.seconds.items():
            counts.stages[stage].add(seconds)
        return InPieces(made.body, headers={**made.headers, "Server-Timing": _timing(made)}, media_type=form.media_type)

    async def health(_: Request) -> Response:
        return JSONResponse({"works": maker.works, "engine": served.engine}, 200 if maker.works else 503)

    async def numbers(_: Request) -> Response:
        found = exposition(ServiceMetrics(served, counts, access.refused))
        return Response(found, headers={"Content-Type": CONTENT_TYPE_LATEST})

    routes: list[BaseRoute] = [Route("/depth", depth, methods=["POST"]), Route(HEALTH, health)]
    routes += [Route("/metrics", numbers)] if metrics else []
    return Guard(Starlette(routes=routes), access, {HEALTH})


class InPieces(Response):
    """A body that is handed over as the client takes it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = memoryview(self.body)
        for start in range(0, len(body), PIECE):
            piece = {"body": bytes(body[start : start + PIECE]), "more_body": start + PIECE < len(body)}
            await send({"type": "http.response.body", **piece})


def _timing(made: Made) -> str:
    """The header that browsers' developer tools show, https://www.w3.org/TR/server-timing."""
    return ", ".join(f"{stage};dur={1000 * seconds:.1f}" for stage, seconds in made.seconds.items())
