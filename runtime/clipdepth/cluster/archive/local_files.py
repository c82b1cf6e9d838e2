"""The files below a folder of this machine, whatever their names are and wherever links lead."""

import logging
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listed:
    """A file that was found."""

    path: str
    """Bytes that are no UTF-8 stand in it as Python's surrogates."""
    size: int
    mtime_ns: int


def local_files(root: str) -> Iterator[Listed]:
    """The files below a folder, those of each folder once, by the name that has no link in it where there is one.

    A link to a folder that `root` lies in is not followed. Folders that cannot be read are warned of.
    """
    seen = {_identity(here) for here in _with_parents(os.path.realpath(root))} - {_identity(root)}
    later = deque([root])
    while later:
        for here, folders, names in os.walk(later.popleft(), onerror=_warn):
            identity = _identity(here)
            if identity is None or identity in seen:
                folders.clear()
                continue
            seen.add(identity)
            paths = [_below(here, name) for name in folders]
            later.extend(path for path in paths if os.path.islink(path))  # noqa: PTH114, no path of pyarrow's
            yield from _files(here, names)


def _files(here: str, names: list[str]) -> Iterator[Listed]:
    for name in names:
        path = _below(here, name)
        try:
            found = os.stat(path)  # noqa: PTH116
        except OSError:  # a link to nothing
            continue
        if stat.S_ISREG(found.st_mode):
            yield Listed(path, found.st_size, found.st_mtime_ns)


def _below(folder: str, name: str) -> str:
    # As pyarrow has paths, on Windows too.
    return f"{folder.replace(os.sep, '/').rstrip('/')}/{name}"


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _with_parents(path: str) -> Iterator[str]:
    yield path
    while (above := os.path.dirname(path)) != path:  # noqa: PTH120
        yield above
        path = above


def _warn(error: OSError) -> None:
    _LOG.warning("%s cannot be looked into (%s); what lies in it is left out", error.filename, error.strerror)
