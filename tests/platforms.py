"""Other systems, simulated in a process of its own: what they lack is taken away before our modules are imported."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PLATFORMS = ("win32", "darwin")
_SIMULATION = """
import errno, faulthandler, fcntl, os, signal, sys
from importlib import import_module
from pathlib import Path
from tempfile import gettempdir
from types import SimpleNamespace

TEMPORARY = gettempdir()
faulthandler.dump_traceback_later(240, exit=True)

def simulate(platform, names):
    # What others wrote is imported as it is here; ours is imported again, as it would be there.
    for name in names:
        import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("clipdepth")]:
        del sys.modules[name]
    sys.platform = platform
    lacks = {"darwin": ["sched_getaffinity"], "win32": WINDOWS_LACKS}[platform]
    for name in lacks:
        delattr(os, name)
    if platform == "win32":
        for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE", "pthread_sigmask"):
            delattr(signal, name)
        for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"):
            sys.modules[name] = None
        sys.modules["msvcrt"] = SimpleNamespace(LK_LOCK=1, LK_NBLCK=2, LK_UNLCK=0, locking=locking)
        for name in ("unlink", "remove", "rename", "replace"):
            setattr(os, name, refusing_what_is_open(getattr(os, name)))
        os.open, os.fsync = no_folder(os.open), only_written(os.fsync)
    for name in names:
        import_module(name)

WINDOWS_LACKS = (
    "O_NOFOLLOW O_NONBLOCK O_DIRECTORY O_CLOEXEC O_SYNC sysconf sched_getaffinity sched_setaffinity getloadavg geteuid "
    "getuid getgid getegid getpgid setsid killpg pread pwrite fork forkpty mkfifo nice uname statvfs chown fchmod sync"
).split()

def locking(descriptor, mode, count):
    try:
        fcntl.flock(descriptor, [fcntl.LOCK_UN, fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_EX | fcntl.LOCK_NB][mode])
    except OSError:
        raise OSError(errno.EDEADLK if mode == 1 else errno.EACCES, "locked") from None

def refusing_what_is_open(call):
    def refuse(*paths, **rest):
        held = {os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()}
        named = {os.path.abspath(path) for path in paths if isinstance(path, str | os.PathLike)}
        if held & {path for path in named if os.path.dirname(path) != TEMPORARY}:  # Python's own files without name
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(paths[0]))
        return call(*paths, **rest)
    return refuse

def no_folder(call):
    def open_file(path, flags, *rest, **named):
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return call(path, flags, *rest, **named)
    return open_file

def only_written(call):
    def flush(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        return call(descriptor)
    return flush
"""


def run_there(platform: str, modules: Sequence[str], code: str, *arguments: str | Path) -> str:
    """Import `modules` and run `code` on a simulated platform; return what it printed."""
    script = f"{_SIMULATION}\nsimulate({platform!r}, {list(modules)!r})\n{code}"
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
