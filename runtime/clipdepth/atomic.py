"""Files that are either whole or not there: written beside their final name, flushed to disk, renamed."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipdepth.errors import OutputError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`, with the same suffix; when the block succeeds it becomes `path`.

    If the block raises, what it wrote is removed and an earlier `path` stays as it was.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; choose another name")
    make_folder(path.parent)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        _flush(partial)
        partial.replace(path)
    except OSError as error:
        _name(error, path)
        raise
    finally:
        partial.unlink(missing_ok=True)
    _flush(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; when the block succeeds it takes the place of `path`.

    If the block raises, what it wrote is removed and an earlier `path` stays as it was.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file; choose another name")
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.partial")
    replaced = path.with_name(f".{path.name}.replaced")
    _settle(path, replaced)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        for file in partial.rglob("*"):
            _flush(file)
        if path.exists():
            path.replace(replaced)
        partial.replace(path)
    except OSError as error:
        _name(error, path)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _settle(path, replaced)
    _flush(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; raises OutputError where a file is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"{path} is a file or lies inside one; choose another place") from None


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, atomically. NaN and infinities are refused."""
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _name(error: OSError, path: Path) -> None:
    """A write that fails, on a full disk say, does not know what it wrote to: tell it."""
    if error.errno is not None and error.filename is None:
        error.filename = str(path)


def _settle(path: Path, replaced: Path) -> None:
    """Remove what `path` replaced, or put it back where nothing took its place."""
    if path.exists():
        shutil.rmtree(replaced, ignore_errors=True)
    elif replaced.exists():
        replaced.replace(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
