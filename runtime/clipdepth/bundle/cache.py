"""The user's cache folder: what can be made again, such as built engines and the choice of an engine.

Some of it is native code, so that it is this user's alone, and what is another's is not read.
"""

import os
import stat
from hashlib import sha256
from pathlib import Path

from clipdepth.bundle.manifest import Manifest
from clipdepth.bundle.record import encode_record
from clipdepth.errors import OutputError
from clipdepth.files.atomic import make_folder
from clipdepth.files.no_link import open_no_link


def bundle_cache(manifest: Manifest) -> Path:
    """The folder of what was made of exactly the bundle of that manifest, wherever it lies; it need not exist.

    Raises as `cache_folder`.
    """
    # The manifest states every file's hash.
    return cache_folder() / sha256(encode_record(manifest)).hexdigest()[:32]


def cache_folder() -> Path:
    """`clipdepth` in $XDG_CACHE_HOME or ~/.cache; it need not exist. Raises OutputError where there is no home."""
    stated = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if stated.is_absolute():  # the XDG specification has others ignored
        return stated / "clipdepth"
    try:
        return Path.home() / ".cache" / "clipdepth"
    except RuntimeError:
        raise OutputError("this user has no home folder; set XDG_CACHE_HOME") from None


def make_private(folder: Path) -> None:
    """Make `folder`, which is in the cache folder or is it, and those between, open to this user alone (0700).

    Raises OutputError where one of them or a file in `folder` is another user's.
    """
    root = cache_folder()
    make_folder(root.parent)
    below = folder.relative_to(root).parts
    for level in (root.joinpath(*below[:depth]) for depth in range(len(below) + 1)):
        make_folder(level)
        _require_own(level, level.stat())
        level.chmod(stat.S_IRWXU)
    for entry in folder.iterdir():
        _require_own(entry, entry.lstat())


def read_own(path: Path) -> bytes | None:
    """What a file in the cache holds; None where it cannot be read or is no plain file of this user's own."""
    try:
        with open(path, "rb", opener=open_no_link) as file:
            found = os.fstat(file.fileno())
            return file.read() if stat.S_ISREG(found.st_mode) and _is_own(found) else None
    except OSError:
        return None


def _require_own(path: Path, found: os.stat_result) -> None:
    if not _is_own(found):
        raise OutputError(f"{path} in the cache belongs to another user; remove it, or set XDG_CACHE_HOME")


def _is_own(found: os.stat_result) -> bool:
    # Windows has no user numbers: there the home folder is closed to others.
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
