"""The options by which a command is told who may reach what it serves."""

import argparse
import os
from dataclasses import dataclass

from clipdepth.web import Address, Allowed, choose_token, parse_host, parse_origin


@dataclass(frozen=True)
class AccessOptions:
    """What a command was told of access; `add_access_arguments` says what each is."""

    token: str | bool | None
    allowed_host: list[str]
    allowed_origin: list[str]
    metrics: bool

    @property
    def secret(self) -> str | None:
        """The token, where the user gave one."""
        return self.token if isinstance(self.token, str) else os.environ.get("CLIPDEPTH_TOKEN")

    @property
    def behind_proxy(self) -> bool:
        """Whether a proxy stands in front of the server."""
        return bool(self.allowed_host or self.allowed_origin)

    @property
    def allowed(self) -> Allowed:
        """What a proxy in front of the server brings with it."""
        return Allowed(tuple(self.allowed_host), tuple(self.allowed_origin))

    def token_for(self, address: Address) -> str | None:
        """What clients of a server at that address need to know; raises as `choose_token`."""
        # Through a proxy others reach loopback too.
        return choose_token(address, self.secret, make=self.token is True or self.behind_proxy)


def add_access_arguments(parser: argparse.ArgumentParser, who: str, prefix: str = "") -> None:
    """Add --token, --allowed-host, --allowed-origin and --metrics; `who` asks, and helps begin with `prefix`."""
    add = parser.add_argument
    behind = f"{prefix.rstrip(': ')} behind a proxy: " if prefix else "behind a proxy: "
    add(
        "--token",
        nargs="?",
        const=True,
        metavar="T",
        help=f"{prefix}what {who} need to know; without T it is CLIPDEPTH_TOKEN, or made and printed. "
        "Without --token only a server on loopback has none, and every user of this computer can use it",
    )
    add(
        "--allowed-host",
        type=parse_host,
        action="append",
        default=[],
        metavar="NAME",
        help=f"{behind}answer requests for this name too, such as cam.example.org (may be given more than once)",
    )
    add(
        "--allowed-origin",
        type=parse_origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help=f"{behind}where it sends another Host than the browser, let pages of this origin ask, "
        "such as https://cam.example.org (may be given more than once)",
    )
    add("--metrics", action="store_true", help=f"{prefix}Prometheus metrics at /metrics")
