"""Where a server listens."""

import argparse
import os
import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address

from clipdepth.errors import ClipdepthError

STALLED_MS = 10_000
"""How long the system keeps a connection whose other end takes nothing, milliseconds."""


class ServeError(ClipdepthError, OSError):
    """A server cannot listen at the address."""


@dataclass(frozen=True)
class Address:
    """A host, by name or number, and a port; 0 for any that is free."""

    host: str = "127.0.0.1"
    port: int = 8000

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer can reach it. A name other than localhost counts as reachable from outside."""
        return self.host == "localhost" or (is_number(self.host) and ip_address(self.host).is_loopback)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def listen(self, option: str = "--serve") -> socket.socket:
        """A socket bound to it that listens; raises ServeError, which names the `option`, where that is impossible."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, _, _, _, place = min(found, key=lambda entry: entry[0] != socket.AF_INET)
            listening = socket.create_server(place[:2], family=family)
        except (OSError, UnicodeError) as error:
            why = str(error) if isinstance(error, socket.gaierror | UnicodeError) else os.strerror(error.errno or 0)
            raise ServeError(f"cannot serve at {self}: {why}; give another with {option} HOST:PORT") from None
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MS)
        return listening


def parse_address(text: str) -> Address:
    """Read 'HOST:PORT', an IPv6 number in brackets; for `add_argument(type=…)`."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", text, re.ASCII)
    if not found or int(found[3]) > 65535 or (found[1] and not is_number(found[1])):
        raise argparse.ArgumentTypeError(f"'{text}' is not HOST:PORT, such as 127.0.0.1:8000, 0.0.0.0:8000 or [::1]:80")
    return Address((found[1] or found[2]).lower(), int(found[3]))


def is_number(host: str) -> bool:
    """Whether a host is an IP address and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
