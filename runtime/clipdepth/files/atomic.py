"""Files that are either whole or not there: written beside their final name, flushed to disk, renamed."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from clipdepth.errors import OutputError
from clipdepth.files.claim import claimed
from clipdepth.files.flush import flush
from clipdepth.files.no_link import open_no_link

_STEM = 48
"""So many characters of a name go into a draft's: names have at most 255 bytes."""


@contextmanager
def atomic_file(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield an empty file beside `path`, with the same suffix; when the block succeeds it becomes `path`.

    If the block raises, what it wrote is removed and an earlier `path` stays as it was. Without `durable` nothing
    waits for the disk: the file is whole for every reader, but the newest ones may be lost when the power fails.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; choose another name")
    make_folder(path.parent)
    with draft_file(path) as partial:
        try:
            yield partial
            if durable:
                flush(partial)
            partial.replace(path)
        except OSError as error:
            _name(error, path)
            raise
    if durable:
        flush(path.parent)


@contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """Yield a new, empty file beside `path` with a name that nobody can foresee; at the end it is removed."""
    draft = path.with_name(f".{path.stem[:_STEM]}.{token_hex(8)}.partial{path.suffix}")
    # Made here, where no link is followed: what writes to it opens it by its name.
    os.close(open_no_link(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def remove_drafts(path: Path) -> None:
    """Remove what a crash left of drafts of `path`, which must be claimed."""
    if len(path.stem) > _STEM:
        return
    name = re.compile(rf"{re.escape(f'.{path.stem}.')}[0-9a-f]{{16}}\.partial{re.escape(path.suffix)}")
    for draft in path.parent.iterdir():
        if name.fullmatch(draft.name):
            if draft.is_dir() and not draft.is_symlink():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; when the block succeeds it takes the place of `path`.

    If the block raises, what it wrote is removed and an earlier `path` stays as it was. Raises OutputError where
    another process writes the same folder.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file; choose another name")
    make_folder(path.parent)
    with claimed(path):
        remove_drafts(path)
        yield from _written(path)
    flush(path.parent)


def _written(path: Path) -> Iterator[Path]:
    partial = path.with_name(f".{path.stem[:_STEM]}.{token_hex(8)}.partial{path.suffix}")
    replaced = path.with_name(f".{path.name}.replaced")
    _settle(path, replaced)
    partial.mkdir()
    try:
        yield partial
        for file in partial.rglob("*"):
            flush(file)
        if path.exists():
            path.replace(replaced)
        partial.replace(path)
    except OSError as error:
        _name(error, path)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _settle(path, replaced)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; raises OutputError where a file is in the way.

    None is made beside `/home` and `/usr`: there it is a mistyped path, and whoever is root would not notice.
    """
    if path.anchor == "/" and not (top := Path(*path.parts[:2])).exists():
        raise OutputError(f"there is no folder {top}; check the path, or make that folder first")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"{path} is a file or lies inside one; choose another place") from None
    except FileNotFoundError:  # as /proc answers
        raise OutputError(f"no folder can be made at {path}; choose another place") from None


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
    if replaced.is_symlink():
        replaced.unlink()
    elif path.exists():
        shutil.rmtree(replaced, ignore_errors=True)
    elif replaced.exists():
        replaced.replace(path)
