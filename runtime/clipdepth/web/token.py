"""The secret that lets a client in."""

import secrets
from base64 import urlsafe_b64encode

from clipdepth.errors import UsageError
from clipdepth.web.address import Address

SHORTEST = 8
PREFIX = "token."
"""Before the token, in base64url without padding, in the WebSocket subprotocols that the viewer's page offers."""


def choose_token(address: Address, given: str | None, *, make: bool = False) -> str | None:
    """The token `given`; else a new one for an address that others can reach, or with `make`; else None.

    Raises UsageError for one that is easily guessed.
    """
    if given is None:
        return secrets.token_urlsafe(18) if make or not address.is_loopback else None
    if len(given) < SHORTEST or not given.isprintable():
        raise UsageError(f"the token needs at least {SHORTEST} printable characters; give a longer one")
    return given


def token_protocol(token: str) -> str:
    """The WebSocket subprotocol that carries a token."""
    return PREFIX + urlsafe_b64encode(token.encode()).decode().rstrip("=")
