"""Locks of open files, which go with the process that holds them."""

import errno
import sys

if sys.platform == "win32":
    import msvcrt

    def lock(descriptor: int, wait: bool) -> None:
        """Lock the open file; raises OSError where another one holds it, unless it is to `wait` for that one's end."""
        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                return
            except OSError as error:
                if not (wait and error.errno == errno.EDEADLK):  # what it raises after ten seconds
                    raise

    def unlock(descriptor: int) -> None:
        """Give the lock back, which Windows does late when the file is closed."""
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def lock(descriptor: int, wait: bool) -> None:
        """Lock the open file; raises OSError where another one holds it, unless it is to `wait` for that one's end."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

    def unlock(descriptor: int) -> None:
        """Give the lock back."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)
