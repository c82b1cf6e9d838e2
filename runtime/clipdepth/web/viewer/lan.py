"""This computer's addresses in its networks, for people whose device finds no name."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path

_SIOCGIFADDR = 0x8915
"""Linux: an interface's IPv4 address; see netdevice(7)."""
_INET6 = Path("/proc/net/if_inet6")
_INTERFACES = Path("/sys/class/net")


@dataclass(frozen=True)
class LanAddress:
    """An IP address that others may reach, and the network interface that has it."""

    number: str
    interface: str

    @property
    def is_hardware(self) -> bool:
        """Whether the interface is a device, and no bridge or tunnel such as Docker's."""
        return (_INTERFACES / self.interface / "device").exists()


def lan_addresses(family: socket.AddressFamily) -> list[LanAddress]:
    """The addresses of one family, AF_INET or AF_INET6; devices before bridges and tunnels, none of loopback.

    Empty on systems other than Linux. An address that is valid on one link only is left out.
    """
    found = list(_inet6() if family == socket.AF_INET6 else _inet())
    usable = [each for each in found if not (ip_address(each.number).is_loopback or _is_link_local(each.number))]
    return sorted(usable, key=lambda each: not each.is_hardware)


def _inet() -> Iterator[LanAddress]:
    try:
        from fcntl import ioctl
    except ModuleNotFoundError:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # an interface without an address
                answer = ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                yield LanAddress(socket.inet_ntoa(answer[20:24]), name)


def _inet6() -> Iterator[LanAddress]:
    with suppress(OSError):
        for line in _INET6.read_text(encoding="ascii").splitlines():
            digits, *_, name = line.split()
            yield LanAddress(str(IPv6Address(bytes.fromhex(digits))), name)


def _is_link_local(number: str) -> bool:
    # A browser takes no zone such as %eth0; IPv4's 169.254 needs none.
    address = ip_address(number)
    return isinstance(address, IPv6Address) and address.is_link_local
