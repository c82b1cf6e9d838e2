"""Who may ask.

The token never stands in a URL that is sent: the page takes it from the fragment and gives it as a WebSocket
subprotocol or an Authorization header. There is no cookie, so no other site can use the visitor's permission.
"""

import hmac
import logging
import socket
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from clipdepth.web.address import Address, is_number
from clipdepth.web.allowed import Allowed
from clipdepth.web.token import PREFIX, token_protocol

_LOG = logging.getLogger(__name__)

PROTOCOL = "clipdepth"
"""The WebSocket subprotocol that the server speaks."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered: the HTTP status, the reason in a word for counters, and in a line."""

    status: int
    reason: str
    text: str


WRONG_HOST = Refusal(421, "host", "this server is not known under that name; use its IP address, or add --allowed-host")
WRONG_ORIGIN = Refusal(403, "origin", "a page of another site may not ask; add a proxy's with --allowed-origin")
WRONG_TOKEN = Refusal(401, "token", "the token is missing or wrong")
FULL = Refusal(403, "full", "too many viewers; close one")
UNKNOWN = Refusal(404, "unknown", "nothing is at that address")
UNSUITABLE = Refusal(400, "unsuitable", "what is there cannot be asked for in that way")
MALFORMED = Refusal(400, "malformed", "it was broken, or longer than a browser's")
UNFINISHED = Refusal(408, "unfinished", "it was begun and did not go on")
STALLED = Refusal(408, "stalled", "its sender does not read the answer")
BUSY = Refusal(503, "busy", "too many connections are open")
MESSAGE = Refusal(403, "message", "a viewer sent what the page never sends")


class Access:
    """Decides about requests by their headers, and counts refusals."""

    def __init__(self, address: Address, token: str | None, allowed: Allowed) -> None:
        self.refused: Counter[str] = Counter()
        self._loopback_only = address.is_loopback
        self._token = token
        own = socket.gethostname().lower()
        self._names = {"localhost", address.host, *allowed.hosts}
        if not self._loopback_only:
            self._names |= {own, f"{own}.local"}
        self._origins = allowed.origins

    def refusal(self, scope: Scope, *, needs_token: bool) -> Refusal | None:
        """Why the request is refused, or None. `scope` is ASGI's, of HTTP or of a WebSocket."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._knows(hosts[0]):
            return self.count(WRONG_HOST)
        if not all(self._is_own(origin, hosts[0]) for origin in origins):
            return self.count(WRONG_ORIGIN)
        if needs_token and not self._has_token(headers, scope.get("subprotocols", [])):
            return self.count(WRONG_TOKEN)
        return None

    def count(self, refusal: Refusal) -> Refusal:
        """Count a refusal, log the first of its kind, return it."""
        self.refused[refusal.reason] += 1
        if self.refused[refusal.reason] == 1:
            _LOG.warning("a request was refused: %s (more of these are only counted)", refusal.text)
        return refusal

    def _knows(self, host: str) -> bool:
        """Whether a Host header names this server: else a site whose name was rebound to its address could ask."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if is_number(name):
            number = ip_address(name)
            return number.is_loopback or not self._loopback_only or str(number) in self._names
        return name in self._names

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether a page that came from `origin` is this server's: as Host says, or by a proxy that is allowed."""
        return origin.lower() in self._origins or origin.lower().partition("://")[2] == host.lower()

    def _has_token(self, headers: Headers, protocols: list[str]) -> bool:
        if self._token is None:
            return True
        offered = [protocol for protocol in protocols if protocol.startswith(PREFIX)]
        bearer = headers.get("authorization", "")
        return any(_same(protocol, token_protocol(self._token)) for protocol in offered) or _same(
            bearer, f"Bearer {self._token}"
        )


def _same(given: str, wanted: str) -> bool:
    # ASGI's headers are latin-1; a token in UTF-8 comes as the latin-1 text of its bytes.
    return hmac.compare_digest(given.encode("latin-1", "replace"), wanted.encode())
