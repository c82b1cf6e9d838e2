"""Large files over HTTP: resumed where they stopped, checked before they get their final name."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from clipdepth import __version__
from clipdepth.cli.progress import LongProgress, bytes_for_people
from clipdepth.errors import ClipdepthError, DownloadError, OutputError
from clipdepth.files.claim import claimed
from clipdepth.files.no_link import open_no_link

TIMEOUT_SECONDS = 30.0
CHUNK_BYTES = 1 << 16
_LARGE_BYTES = 64 << 20


def download(url: str, path: Path, md5: str | None) -> Path:
    """Download `url` to `path` and return `path`; a whole `path` that is there already is kept.

    `path` is whole when its MD5 is `md5`, or when it exists and `md5` is None. Until then the bytes lie
    in `path` + ".part", which stays after an interruption and is continued by the next call. Without
    `md5` a part is started over: nothing could tell whether both halves are of the same file.
    """
    if path.is_file() and (md5 is None or _md5(path) == md5):
        return path
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with claimed(path):
        partial = path.with_name(path.name + ".part")
        _complete(url, path, partial, md5)
        partial.replace(path)
    return path


def _complete(url: str, path: Path, partial: Path, md5: str | None) -> None:
    offset = partial.stat().st_size if md5 is not None and partial.is_file() else 0
    try:
        _fetch(url, partial, offset)
    except ClipdepthError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        remedy = f"run the same command to try again, or download it in a browser to {path} first"
        raise DownloadError(f"cannot download {url}: {_reason(error)}; {remedy}") from error
    if md5 is not None:
        _check(url, partial, md5)


def _fetch(url: str, partial: Path, offset: int) -> None:
    """Bring `partial` to its full size from `offset` on, or from zero if the server cannot do that."""
    try:
        response = _open(url, offset)
    except HTTPError as error:
        with error:
            if error.code != 416 or not offset:
                raise
            complete = _total(error.headers.get("Content-Range")) == offset
        if not complete:
            _fetch(url, partial, 0)
        return
    with response:
        start = _start(response)
        if start in (0, offset):
            _save(response, partial, start)
            return
    if not offset:
        raise ConnectionError("the server sent a part of the file where all of it was asked for")
    _fetch(url, partial, 0)


def _open(url: str, offset: int) -> HTTPResponse:
    headers = {"User-Agent": f"clipdepth/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    return response


def _start(response: HTTPResponse) -> int:
    """The position of the response's first byte in the file; -1 if it is a part but does not say which."""
    if response.status != 206:
        return 0
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _total(content_range: str | None) -> int | None:
    """The file's size in bytes by a header such as `bytes */2972037809`."""
    found = re.search(r"/(\d+)$", content_range or "")
    return int(found[1]) if found else None


def _save(response: HTTPResponse, partial: Path, start: int) -> None:
    total = None if response.length is None else start + response.length
    with _writing(partial):
        # By no link: the name of what came so far can be foreseen.
        file = open(partial, "ab" if start else "wb", opener=open_no_link)  # noqa: SIM115
    with file, _progress() as progress:
        task = progress.add_task(partial.stem, total=total, completed=start)
        while chunk := response.read(CHUNK_BYTES):
            with _writing(partial):
                file.write(chunk)
            progress.advance(task, len(chunk))
        with _writing(partial):
            _flush(file)
    size = partial.stat().st_size
    if total is not None and size < total:
        raise ConnectionError(f"the connection closed after {size} of {total} bytes")


def _check(url: str, partial: Path, md5: str) -> None:
    found = _md5(partial)
    if found != md5:
        partial.unlink()
        raise DownloadError(
            f"{url} has MD5 {found}, expected {md5}: damaged on its way or changed at its source; "
            "what came was deleted, run the same command to download it again"
        )


def _md5(path: Path) -> str:
    """The MD5 of a file in hexadecimal digits; a progress bar shows for large ones."""
    digest = hashlib.md5(usedforsecurity=False)
    size = path.stat().st_size
    with path.open("rb") as file, _progress(hidden=size < _LARGE_BYTES) as progress:
        task = progress.add_task(f"checking {path.name}", total=size)
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            progress.advance(task, len(chunk))
    return digest.hexdigest()


def _progress(hidden: bool = False) -> LongProgress:
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    text = TextColumn("{task.description}")
    return LongProgress(text, *columns, console=Console(stderr=True), disable=hidden, amount=bytes_for_people)


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _reason(error: Exception) -> str:
    """Why, in a few words, such as `HTTP 404 Not Found` or `[Errno 111] Connection refused`."""
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    return str(error.reason if isinstance(error, URLError) else error) or type(error).__name__


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell a full or read-only disk from a failing network: both are OSErrors."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot write {path}: {reason}; free some space or choose another place") from error
