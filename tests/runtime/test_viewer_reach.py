"""By what names and addresses the viewer can be reached, and how they are told."""

import argparse
import re
import shutil
import socket
import subprocess

import cv2
import numpy as np
import pytest

from clipdepth.web import Address, Allowed, parse_host, parse_origin
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer.lan import lan_addresses
from clipdepth.web.viewer.qr import qr_code

SETUP = Setup("slow", "CPU", "fp32", 0.5, 5.0)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("cam.example.org", "cam.example.org"),
        ("CAM", "cam"),
        ("my_cam-2.local", "my_cam-2.local"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8:0::1]", "2001:db8::1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_hosts_that_are_allowed(text: str, host: str) -> None:
    assert parse_host(text) == host


NO_HOSTS = [
    "",
    "*",
    "*.example.org",
    "https://cam.example.org",
    "cam:8000",
    "cam/x",
    "a..b",
    ".a",
    "a.",
    "-a",
    "é",
    "a b",
]
NO_ORIGINS = [
    *(
        "",
        "*",
        "null",
        "cam.example.org",
        "https://",
        "https://*",
        "https://a/x",
        "https://a:b",
        "https://a:",
        "ws://a",
    ),
    *("https://a@b", "https://a?b", "https://[a]", "https://é", "https://a\n", "https://a:０", "https://::1"),
]


@pytest.mark.parametrize("text", [*NO_HOSTS, "a\n", "a" * 254])
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(f"'{text}' is not a host's name; give it without")):
        parse_host(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://cam.example.org", "https://cam.example.org"),
        ("HTTPS://Cam.example.org/", "https://cam.example.org"),
        ("https://cam.example.org:443", "https://cam.example.org"),
        ("http://cam.example.org:443", "http://cam.example.org:443"),
        ("http://192.0.2.1:80", "http://192.0.2.1"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_origins_that_are_allowed(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize("text", NO_ORIGINS)
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(f"'{text}' is not an origin; give scheme, host")):
        parse_origin(text)


def linux_addresses() -> dict[str, str]:
    """Interfaces by their IPv4 addresses, as iproute2 lists them."""
    lines = subprocess.run(["ip", "-o", "-4", "addr", "show", "up"], capture_output=True, text=True, check=True).stdout
    words = [line.split() for line in lines.splitlines()]
    return {each[3].partition("/")[0]: each[1] for each in words if not each[3].startswith("127.")}


@pytest.mark.skipif(not shutil.which("ip"), reason="needs iproute2")
def test_lan_addresses_are_the_systems() -> None:
    found = lan_addresses(socket.AF_INET)
    assert {each.number: each.interface for each in found}.items() <= linux_addresses().items()
    assert {each.interface for each in found} == set(linux_addresses().values())
    order = [each.is_hardware for each in found]
    assert order == sorted(order, reverse=True)
    for each in lan_addresses(socket.AF_INET6):
        assert not re.match("::1$|fe[89ab]", each.number)


def test_the_viewers_urls_are_the_hosts_name_its_addresses_and_its_proxies() -> None:
    def urls(address: Address, allowed: Allowed | None = None) -> tuple[dict[str, str], str | None]:
        viewer = open_viewer(address, "a b", SETUP, allowed=allowed)
        return viewer.other_urls, viewer.phone_url

    numbers = {f"http://{each.number}:80/#token=a%20b": each.interface for each in lan_addresses(socket.AF_INET)}
    everywhere, phone = urls(Address("0.0.0.0", 80))
    assert everywhere == numbers
    assert phone == next(iter(numbers), open_viewer(Address("0.0.0.0", 80), "a b", SETUP).url)
    assert urls(Address("127.0.0.1", 80)) == ({}, None)
    assert urls(Address("192.0.2.7", 80)) == ({}, "http://192.0.2.7:80/#token=a%20b")
    proxy = "https://cam.example.org/#token=a%20b"
    assert urls(Address("127.0.0.1", 80), Allowed((), ("https://cam.example.org",))) == ({proxy: "proxy"}, proxy)


def test_the_qr_code_can_be_read() -> None:
    pytest.importorskip("segno")
    url = "http://192.168.178.123:8000/#token=" + "aB3_" * 6
    code = qr_code(url)
    assert code
    # A half block is two pixels; the drawn colour is the light one.
    halves = {" ": (0, 0), "▀": (255, 0), "▄": (0, 255), "█": (255, 255)}
    rows = [[halves[cell] for cell in line] for line in code.plain.split("\n")]
    pixels = np.array(rows, np.uint8).transpose(0, 2, 1).reshape(2 * len(rows), -1)
    assert cv2.QRCodeDetector().detectAndDecode(np.kron(pixels, np.ones((8, 8), np.uint8)))[0] == url
    assert "on black" in str(code.style)
