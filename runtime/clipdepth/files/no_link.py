"""Files opened by their own name: through no link, and without waiting for the other end of a pipe."""

import errno
import os


def open_no_link(path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
    """As `os.open`; raises OSError, ELOOP, for a link."""
    if not hasattr(os, "O_NOFOLLOW") and os.path.islink(path):  # Windows  # noqa: PTH114
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), mode)
