"""What `clipdepth run --serve` says of where its viewer is, in a terminal and in a pipe."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from bundles import write_bundle
from clipdepth.web.viewer.lan import lan_addresses
from live_servers import free_port

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs pseudo-terminals and signals")
OPEN = "every user of this computer can watch"


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    return str(write_bundle(tmp_path / "b.bundle"))


def command(bundle: str, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "clipdepth", "run", bundle, "--engine", "onnxruntime", "--source", "rooms"),
        *options,
    ]


def read_until(stream: int, wanted: str, seconds: float = 60) -> str:
    """What comes from a file descriptor until a pattern is in it."""
    text, deadline = "", time.monotonic() + seconds
    while not re.search(wanted, text):
        assert time.monotonic() < deadline, text
        text += os.read(stream, 65536).decode(errors="replace")
    return text


@contextmanager
def running(arguments: list[str], stdout: int, stderr: int) -> Iterator[None]:
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment)
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def ends(make: Callable[[], tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The end that people read and the one that programs write to, of what os.openpty or os.pipe makes."""
    reader, writer = make()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def test_a_terminal_gets_all_addresses_and_a_qr_code(bundle: str) -> None:
    pytest.importorskip("segno")
    port = free_port()
    arguments = command(bundle, "--serve", f"0.0.0.0:{port}")
    with ends(os.openpty) as (reader, writer), running(arguments, writer, writer):
        said = read_until(reader, "(?s)█.*streaming")
    found = re.search(rf"live at http://[^:/]+:{port}/#token=(\S+)", said)
    assert found
    for each in lan_addresses(socket.AF_INET):
        assert f"or http://{each.number}:{port}/#token={found[1]} ({each.interface})" in said
    assert OPEN not in said


def test_a_pipe_gets_no_qr_code(bundle: str) -> None:
    arguments = command(bundle, "--serve", "0.0.0.0:0", "--frames", "3")
    with ends(os.pipe) as (reader, writer), running(arguments, writer, writer):
        said = read_until(reader, "frames")
    assert "live at" in said
    assert not set("█▀▄") & set(said)


def test_stdout_in_a_file_is_no_terminal(bundle: str, tmp_path: Path) -> None:
    arguments = command(bundle, "--serve", "0.0.0.0:0")
    with (
        (tmp_path / "out").open("wb") as out,
        ends(os.openpty) as (reader, writer),
        running(arguments, out.fileno(), writer),
    ):
        said = read_until(reader, "streaming")
    assert "live at" in said
    assert not set("█▀▄") & set(said)


@pytest.mark.parametrize("options", [["--token"], ["--allowed-origin", "https://cam.example.org"]])
def test_on_loopback_a_token_can_be_asked_for_and_a_proxy_brings_one(bundle: str, options: list[str]) -> None:
    arguments = command(bundle, "--serve", "127.0.0.1:0", *options)
    with ends(os.pipe) as (reader, writer), running(arguments, subprocess.DEVNULL, writer):
        said = read_until(reader, r"live at \S+\n")
        if "--token" not in options:
            said += "" if "(proxy)" in said else read_until(reader, r"\(proxy\)")
        found = re.search(r"live at (http://127\.0\.0\.1:\d+/)#token=(\S+)", said)
        assert found
        url, token = found.groups()
        with pytest.raises(HTTPError, match="401"):
            urlopen(f"{url}info", timeout=10)
        assert urlopen(Request(f"{url}info", headers={"Authorization": f"Bearer {token}"}), timeout=10).status == 200
    assert OPEN not in said
    assert ("--token" in options) or f"or https://cam.example.org/#token={token} (proxy)" in said


def test_a_token_that_was_given_is_not_told(bundle: str) -> None:
    arguments = command(bundle, "--serve", "127.0.0.1:0", "--token", "open sesame", "--allowed-origin", "https://a.b")
    with ends(os.pipe) as (reader, writer), running(arguments, subprocess.DEVNULL, writer):
        said = read_until(reader, r"\(proxy\)")
    assert "or https://a.b/ (proxy)" in said
    assert "sesame" not in said
