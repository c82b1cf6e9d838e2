"""What stands before an app: who may ask, and how a refusal is answered and counted."""

from collections.abc import Collection

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipdepth.web.access import UNKNOWN, UNSUITABLE, Access, Refusal

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
_COUNTED = "clipdepth.counted"


class Guard:
    """Lets through what `Access` does not refuse; everything but the paths in `public` needs the token."""

    def __init__(self, app: ASGIApp, access: Access, public: Collection[str]) -> None:
        self._app = app
        self._access = access
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        refusal = self._access.refusal(scope, needs_token=scope["path"] not in self._public)
        if refusal and scope["type"] == "websocket":
            # As 403. uvicorn would send another answer too, but log an error each time.
            await send({"type": "websocket.close"})
        else:
            await (answer(refusal) if refusal else self._app)(
                scope, receive, send if refusal else self._counted(scope, send)
            )

    def _counted(self, scope: Scope, send: Send) -> Send:
        """Count what the app refuses by itself, unless `refuse` counted it."""

        async def count_and_send(message: Message) -> None:
            if 400 <= message.get("status", 0) < 500 and _COUNTED not in scope:
                self._access.count(UNKNOWN if message["status"] == 404 else UNSUITABLE)
            await send(message)

        return count_and_send


def refuse(request: Request, refusal: Refusal, access: Access) -> Response:
    """The answer of an app behind a `Guard` that refuses a request for a reason of its own; counts it."""
    request.scope[_COUNTED] = True
    return answer(access.count(refusal))


def answer(refusal: Refusal) -> Response:
    """The response to a refused request."""
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Connection": "close"}}
    return PlainTextResponse(f"{refusal.text}\n", refusal.status, headers.get(refusal.status))
