"""Names and origins that a proxy in front of a server brings with it."""

import argparse
import re
from dataclasses import dataclass
from ipaddress import ip_address

from clipdepth.web.address import is_number

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[^:/\[\]]+)(:[1-9][0-9]{0,4})?/?", re.ASCII)
_PORTS = {"http": ":80", "https": ":443"}
"""What browsers leave out."""


@dataclass(frozen=True)
class Allowed:
    """What is answered beside the server's own names."""

    hosts: tuple[str, ...] = ()
    """Names and IP addresses in the Host header, as `parse_host` gives them."""
    origins: tuple[str, ...] = ()
    """Origins of pages, as `parse_origin` gives them."""


def parse_host(text: str) -> str:
    """Read a name or an IP address without a port, in lower case; for `add_argument(type=…)`."""
    name = text.lower()
    number = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    if is_number(number):
        return str(ip_address(number))
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a host's name; give it without scheme, port, path or wildcard, such as cam.example.org"
        )
    return name


def parse_origin(text: str) -> str:
    """Read SCHEME://HOST[:PORT] and give it as browsers send it; for `add_argument(type=…)`."""
    found = _ORIGIN.fullmatch(text.lower())
    try:
        host = parse_host(found[2]) if found else ""
    except argparse.ArgumentTypeError:
        host = ""
    if not found or not host:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not an origin; give scheme, host and, if it is not the usual one, port, "
            "such as https://cam.example.org or http://cam.example.org:8080"
        )
    port = "" if found[3] == _PORTS[found[1]] else found[3] or ""
    return f"{found[1]}://{f'[{host}]' if ':' in host else host}{port}"
