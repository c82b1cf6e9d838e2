"""The viewer's parts that need no server."""

import argparse
import asyncio
import re
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from clipdepth.errors import UsageError
from clipdepth.sinks.depth_picture import colourise
from clipdepth.sources import Captured
from clipdepth.web import Address, choose_token, parse_address
from clipdepth.web.address import ServeError
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer import broadcast as broadcast_module
from clipdepth.web.viewer.broadcast import Channel
from clipdepth.web.viewer.messages import Shot
from clipdepth.web.viewer.status import describe
from depth_frames import with_depth

SETUP = Setup("slow", "CPU", "fp32", 0.5, 5.0)


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("127.0.0.1:8000", Address(), True),
        ("127.9.9.9:1", Address("127.9.9.9", 1), True),
        ("localhost:0", Address("localhost", 0), True),
        ("LocalHost:9", Address("localhost", 9), True),
        ("[::1]:80", Address("::1", 80), True),
        ("[::]:80", Address("::", 80), False),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535), False),
        ("robot.local:8000", Address("robot.local", 8000), False),
        ("localhost.evil:8000", Address("localhost.evil", 8000), False),
    ],
)
def test_addresses(text: str, address: Address, loopback: bool) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address
    assert address.is_loopback is loopback


@pytest.mark.parametrize(
    "text", ["", ":8000", "8000", "localhost", "localhost:", "a:65536", "::1:80", "[a]:80", "[::g]:1", "a b:1", "a:１"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(f"'{text}' is not HOST:PORT")):
        parse_address(text)


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_is_not_this_computers(host: str) -> None:
    with pytest.raises(ServeError, match=rf"^cannot serve at {host}:8000: .+; give another with --serve HOST:PORT$"):
        Address(host, 8000).listen()


def test_a_token_is_made_where_others_can_reach_the_viewer() -> None:
    outside = Address("0.0.0.0", 8000)
    assert choose_token(Address(), None) is None
    made = {choose_token(outside, None) for _ in range(20)}
    assert len(made) == 20
    assert all(token and len(token) >= 22 for token in made)
    assert choose_token(Address(), "open sesame") == "open sesame"
    assert len(choose_token(Address(), None, make=True) or "") >= 22
    assert choose_token(Address(), "open sesame", make=True) == "open sesame"
    for bad in ("", "short", "with\nline break"):
        with pytest.raises(UsageError, match="at least 8 printable"):
            choose_token(outside, bad)


def test_the_url_names_this_computer_and_keeps_the_token_in_the_fragment() -> None:
    url = open_viewer(Address("0.0.0.0", 8000), "a b&c#d/é", SETUP).url
    assert re.fullmatch(r"http://[^/]+:8000/#token=a%20b%26c%23d%2F%C3%A9", url)
    assert "0.0.0.0" not in url
    assert open_viewer(Address("::1", 80), None, SETUP).url == "http://[::1]:80/"


def test_the_pages_colours_are_the_videos() -> None:
    about = describe(SETUP, ["camera"])
    for level in (0, 1, 100, 254, 255):
        metres = 0.5 + level / 255 * 4.5
        blue, green, red = colourise(np.array([[metres]], np.float32), 0.5, 5.0)[0, 0].tolist()
        found = bytes.fromhex(about["colours"][level])
        assert np.abs(np.subtract(list(found), (red, green, blue))).max() <= 4
    assert bytes.fromhex(about["unknown"]) == bytes(colourise(np.zeros((1, 1), np.float32), 0.5, 5.0)[0, 0].tolist())


def shot(index: int) -> tuple[Captured, np.ndarray]:
    return Captured(np.zeros((8, 8, 3), np.uint8), 0.0, index), np.ones((8, 8), np.float32)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the shots that were encoded."""
    numbers: list[int] = []

    def encode(shot: Shot) -> bytes:
        numbers.append(shot.number)
        return bytes([shot.number])

    monkeypatch.setattr(broadcast_module, "encode", encode)
    return numbers


def test_a_shot_is_encoded_once_for_all_and_only_when_asked_for(encoded: list[int]) -> None:
    async def ask() -> Any:
        channel = Channel("camera")
        channel.attach(asyncio.get_running_loop())
        for index in range(5):
            channel.put(with_depth(*shot(index)))
        assert not encoded
        return await asyncio.gather(*(channel.message(-1) for _ in range(8)))

    messages = asyncio.run(ask())
    assert {(message.number, message.data) for message in messages} == {(4, b"\4")}
    assert encoded == [4]


def test_a_waiting_viewer_wakes_whatever_the_moment_of_the_frame(encoded: list[int]) -> None:
    async def ask() -> list[int]:
        channel = Channel("camera")
        channel.attach(asyncio.get_running_loop())
        stop = threading.Event()

        def give() -> None:
            for index in range(250):
                channel.put(with_depth(*shot(index)))
                time.sleep(0.0001 * (index % 30))
                if stop.is_set():
                    return

        giver = threading.Thread(target=give)
        giver.start()
        seen = [-1]
        try:
            while seen[-1] < 249:
                seen.append((await asyncio.wait_for(channel.message(seen[-1]), 5)).number)
        finally:
            stop.set()
            giver.join()
        return seen

    seen = asyncio.run(ask())
    assert seen == sorted(set(seen))


def test_a_source_is_encoded_no_more_often_than_its_limit(encoded: list[int]) -> None:
    async def ask() -> float:
        channel = Channel("camera")
        channel.attach(asyncio.get_running_loop())
        start = time.perf_counter()
        for index in range(11):
            channel.put(with_depth(*shot(index)))
            assert (await channel.message(index - 1)).number == index
        return time.perf_counter() - start

    assert asyncio.run(ask()) >= 10 / broadcast_module.MAX_FPS * 0.95


def test_without_its_extra_the_viewer_says_which() -> None:
    code = """
import sys
sys.modules["starlette"] = None
from clipdepth.errors import MissingExtraError
from clipdepth.web import Address, choose_token
from clipdepth.web.viewer import Setup, open_viewer
try:
    open_viewer(Address(), choose_token(Address(), None), Setup("a", "b", "c", 1, 2))
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"the viewer needs starlette\S*, .*clipdepth\[viewer\]'\n", done.stdout)
