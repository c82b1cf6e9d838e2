"""Files as a manifest states them: by their size and hash."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from clipdepth.bundle.manifest import StoredFile
from clipdepth.errors import BundleError


def stored_file(path: Path) -> StoredFile:
    """The size and hash of the file at `path`."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return StoredFile(sha256=digest.hexdigest(), size=path.stat().st_size)


def check_files(folder: Path, files: Mapping[str, StoredFile], remedy: str) -> None:
    """Check the size and hash of `files` in `folder`; raises BundleError, with the remedy, for one that differs."""
    for name, stated in files.items():
        problem = _difference(folder / name, stated)
        if problem:
            raise BundleError(f"{folder / name} {problem}; {remedy}")


def _difference(path: Path, stated: StoredFile) -> str | None:
    if not path.is_file() or path.is_symlink():
        return "is missing"
    if path.stat().st_size != stated.size:
        return f"has {path.stat().st_size} bytes, its manifest says {stated.size}"
    if stored_file(path).sha256 != stated.sha256:
        return "is not the file its manifest states (sha256 differs)"
    return None
