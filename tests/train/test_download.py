"""Downloads from real servers on the loopback interface, good ones and bad ones."""

import hashlib
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from clipdepth.errors import DownloadError
from clipdepth_train.data import download as module
from clipdepth_train.data.download import download

CONTENT = np.random.default_rng(0).bytes(1_000_003)
MD5 = hashlib.md5(CONTENT).hexdigest()
CUT = 400_000


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; the path says how well: /good, /rangeless, /dropping, /shifted, /stalling, /absent."""

    server: "Server"

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if self.path == "/absent":
            self.send_error(404)
        elif not asked or self.path == "/rangeless":
            self._send(200, CONTENT, {})
        elif start >= len(CONTENT):
            self._send(416, b"", {"Content-Range": f"bytes */{len(CONTENT)}"})
        else:
            start -= self.path == "/shifted"
            place = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self._send(206, CONTENT[start:], {"Content-Range": place})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.path in ("/dropping", "/stalling") and status == 200:
            body = body[:CUT]
        self.wfile.write(body)
        if self.path == "/stalling":
            self.wfile.flush()
            self.server.patience.recv(1)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.patience, self.release = socket.socketpair()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.release.close()
        running.shutdown()
        thread.join()
        running.patience.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "file.mat"


def part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def leave_part(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(content)


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_download_has_the_bytes_and_leaves_no_part(server: Server, path: Path, md5: str | None) -> None:
    assert download(f"{server.url}/good", path, md5) == path
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_whole_file_is_not_downloaded_again(server: Server, path: Path, md5: str | None) -> None:
    download(f"{server.url}/good", path, md5)
    download(f"{server.url}/good", path, md5)
    assert len(server.requests) == 1


def test_a_damaged_file_is_replaced(server: Server, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(CONTENT[:-1])
    download(f"{server.url}/good", path, MD5)
    assert path.read_bytes() == CONTENT


def test_a_dropped_connection_keeps_its_part_and_is_resumed(server: Server, path: Path) -> None:
    url = f"{server.url}/dropping"
    with pytest.raises(DownloadError, match=f"closed after {CUT} of {len(CONTENT)} bytes"):
        download(url, path, MD5)
    assert not path.exists()
    assert part_of(path).read_bytes() == CONTENT[:CUT]
    download(url, path, MD5)
    assert server.requests == [("/dropping", None), ("/dropping", f"bytes={CUT}-")]
    assert path.read_bytes() == CONTENT


def test_a_silent_server_times_out_and_keeps_the_part(
    server: Server, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(DownloadError, match="timed out"):
        download(f"{server.url}/stalling", path, MD5)
    kept = part_of(path).read_bytes()
    assert 0 < len(kept) <= CUT
    assert CONTENT.startswith(kept)


@pytest.mark.parametrize("kind", ["rangeless", "shifted"])
def test_a_server_without_true_ranges_gives_the_right_bytes(server: Server, path: Path, kind: str) -> None:
    leave_part(path, CONTENT[:CUT])
    download(f"{server.url}/{kind}", path, MD5)
    assert path.read_bytes() == CONTENT


def test_a_part_is_not_continued_without_a_checksum(server: Server, path: Path) -> None:
    leave_part(path, b"of another file")
    download(f"{server.url}/good", path, None)
    assert path.read_bytes() == CONTENT


def test_a_complete_part_only_gets_its_name(server: Server, path: Path) -> None:
    leave_part(path, CONTENT)
    download(f"{server.url}/good", path, MD5)
    assert server.requests == [("/good", f"bytes={len(CONTENT)}-")]
    assert path.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_started_over(server: Server, path: Path) -> None:
    leave_part(path, CONTENT + b"too much")
    download(f"{server.url}/good", path, MD5)
    assert path.read_bytes() == CONTENT


def test_a_wrong_checksum_deletes_the_part_and_tells_both(server: Server, path: Path) -> None:
    with pytest.raises(DownloadError, match=f"MD5 {MD5}, expected {'0' * 32}"):
        download(f"{server.url}/good", path, "0" * 32)
    assert list(path.parent.iterdir()) == []


def test_a_part_of_another_file_is_found_out(server: Server, path: Path) -> None:
    leave_part(path, bytes(CUT))
    with pytest.raises(DownloadError, match=f"expected {MD5}"):
        download(f"{server.url}/good", path, MD5)
    download(f"{server.url}/good", path, MD5)
    assert path.read_bytes() == CONTENT


def test_a_missing_page_is_told_with_its_remedy(server: Server, path: Path) -> None:
    with pytest.raises(DownloadError) as raised:
        download(f"{server.url}/absent", path, MD5)
    message = str(raised.value)
    assert f"cannot download {server.url}/absent: HTTP 404 Not Found" in message
    assert f"download it in a browser to {path}" in message
    assert "\n" not in message


def test_nobody_listening_is_told(path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/file.mat"
        with pytest.raises(DownloadError, match=rf"cannot download {url}: .*Connection refused"):
            download(url, path, MD5)


def test_a_url_without_a_scheme_is_told(path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot download file\.mat: unknown url type"):
        download("file.mat", path, MD5)
