"""No command writes over what it reads, by whatever name or link."""

import os
from collections.abc import Iterable, Iterator
from glob import iglob
from pathlib import Path

from clipdepth.bundle.manifest import MANIFEST
from clipdepth.errors import UsageError

Named = str | Path | None
"""A path as the user gave it, also a pattern; None for an option that was left out. Cameras and URLs are no paths."""


def refuse_overwriting(read: Iterable[Named], written: Iterable[Named], replaced: Iterable[Named] = ()) -> None:
    """Raise UsageError where what is written would take the place of what is read; nothing is opened for it.

    An input that is a folder keeps its files too, except reports in JSON, which may be made again. `replaced` are
    output folders that take the place of whole ones, so that no input may lie in them.
    """
    inputs = [path for named in read if named is not None for path in _matching(str(named))]
    for output in (Path(named) for named in written if named is not None):
        for path in inputs:
            _check(path, output)
    for folder in (Path(named) for named in replaced if named is not None):
        for path in inputs:
            _check(path, folder)
            if folder.resolve() in path.resolve().parents:
                raise UsageError(f"{folder} would be replaced, and {path}, which is read, lies in it; {_REMEDY}")


_REMEDY = "choose another name for the output"


def _matching(named: str) -> Iterator[Path]:
    """The paths that an input means; of a pattern those that it finds now."""
    path = Path(named)
    if not os.path.lexists(path) and any(character in named for character in "*?["):
        yield from map(Path, iglob(named, recursive=True))  # noqa: PTH207, a pattern may be absolute
    else:
        yield path


def _check(path: Path, output: Path) -> None:
    if _same(path, output):
        raise UsageError(f"{output} is read as {path}, and would be written over; {_REMEDY}")
    if path.is_dir() and output.is_file() and not _is_report(output.resolve()):
        inside = path.resolve() in output.resolve().parents
        if inside or any(_same(file, output) for file in _files(path)):
            raise UsageError(f"{output} is a file of {path}, which is read, and would be written over; {_REMEDY}")


def _same(one: Path, other: Path) -> bool:
    """Whether both are one file or folder: by path, by a link, or by a hard link."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there, or may not be looked at
        return one.resolve() == other.resolve()


def _is_report(path: Path) -> bool:
    return path.suffix.lower() == ".json" and path.name != MANIFEST


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)
