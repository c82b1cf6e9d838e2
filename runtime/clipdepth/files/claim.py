"""One writer at a time: an output is claimed while it is written, and a crash gives it back."""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clipdepth.errors import OutputError
from clipdepth.files.lock import lock as lock_open_file
from clipdepth.files.lock import unlock
from clipdepth.files.no_link import open_no_link

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}
"""What file systems without locks answer; two writers are not told of each other there, and both stay whole."""


@contextmanager
def claimed(path: Path, wait: bool = False) -> Iterator[None]:
    """Keep other writers from `path`, whose folder must be there; raises OutputError where one is at work.

    With `wait` it waits for that one's end instead.

    The claim is a locked file, `.NAME.lock` beside it: in another process, on another machine by NFS, and in this one.
    """
    lock = path.with_name(f".{path.name}.lock")
    descriptor = _locked(lock, path, wait)
    try:
        yield
    finally:
        _give_back(descriptor, lock)


def _locked(lock: Path, path: Path, wait: bool) -> int:
    while True:
        descriptor = _opened(lock)
        try:
            lock_open_file(descriptor, wait)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(descriptor)
                raise OutputError(
                    f"{path} is being written by another run; wait for its end, or choose another name"
                ) from None
        if _is_at(descriptor, lock):
            return descriptor
        os.close(descriptor)


def _opened(lock: Path) -> int:
    """Open the file, made where it is missing; NFS locks only what may be written."""
    try:
        descriptor = open_no_link(lock, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _no_file(lock) from None
        if error.errno == errno.ENOENT and lock.parent.is_dir():  # as /proc answers
            raise OutputError(f"{lock.parent} takes no files; choose another place") from None
        # The folder is what the user knows of, and what refuses: the lock is ours, and not there yet.
        error.filename = str(lock.parent)
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(lock)
    return descriptor


def _give_back(descriptor: int, lock: Path) -> None:
    if sys.platform == "win32":  # which removes no open file: one that the next writer has opened stays
        unlock(descriptor)
        os.close(descriptor)
        with suppress(PermissionError):
            lock.unlink(missing_ok=True)
        return
    # Removed while it is locked still: whoever has opened it by then finds that it is not there any more.
    if _is_at(descriptor, lock):
        lock.unlink(missing_ok=True)
    os.close(descriptor)


def _no_file(lock: Path) -> OutputError:
    return OutputError(f"{lock} is a link or no plain file; remove it")


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
