"""What is to be done: the videos and images of the SOURCE arguments, each with the name of its depth."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from posixpath import basename, dirname, relpath, splitext

from fsspec.utils import glob_translate
from pyarrow.fs import FileInfo, FileType

from clipdepth.cluster.archive.local_files import Listed, local_files
from clipdepth.cluster.archive.uri import Uri, open_uri
from clipdepth.errors import SourceError, UsageError
from clipdepth.files.foreign import shown
from clipdepth.sources.folder import IMAGE_SUFFIXES, VIDEO_SUFFIXES, natural_order

LONGEST_NAME = 255 - 17
"""Bytes of a file's name: what its depth and its parts are called adds up to 17."""


@dataclass(frozen=True)
class Item:
    """A video or an image."""

    source: str
    """Its path or URI, without passwords and signatures."""
    name: str
    """Its path below the archive's folders, such as 'films/kitchen.mp4'."""
    size: int
    """Bytes."""
    modified: float
    """Seconds since 1970; 0 where its file system does not know."""
    uri: str = ""
    """What opens it, where that is not `source`."""
    problem: str = ""
    """Why it cannot be taken, and the remedy."""

    @property
    def file(self) -> Uri:
        """The file."""
        return open_uri(self.uri or self.source)

    @property
    def is_image(self) -> bool:
        """Whether it is an image, by its name."""
        return splitext(self.name)[1].lower() in IMAGE_SUFFIXES


def find_items(specs: Sequence[str], out: Uri) -> list[Item]:
    """The videos and images of paths, URIs, folders (all below them) and patterns, in natural order.

    A folder's items are named from the folder on, 'films/2019/a.mp4' for films, a file's by its file name, a
    pattern's from its last folder without a wildcard on. Where a folder has images named rgb_*, as NYU Depth v2 has,
    only those of its images are taken. What is hidden, or lies in `out`, where depth goes, is left out. Raises
    SourceError where there is nothing, UsageError where two items would have one name.
    """
    below = f"{replace(out, query='')}/"
    items = [item for spec in specs for item in _found(spec) if not item.source.startswith(below)]
    named: dict[str, Item] = {}
    for item in items:
        other = named.setdefault(item.name, item)
        if (other.source, other.uri) != (item.source, item.uri):
            raise UsageError(
                f"{other.source} and {item.source} would both be called {item.name}; give a folder that holds both"
            )
    return sorted(named.values(), key=lambda item: [natural_order(part) for part in item.name.split("/")])


def _found(spec: str) -> list[Item]:
    uri = open_uri(spec)
    try:
        info = uri.info
    except Exception as error:  # file systems elsewhere raise their own
        raise SourceError(f"{uri} cannot be looked at ({uri.reason(error)}); check it") from None
    named = str(uri)
    if info.type == FileType.File:
        return [_item(uri, info, dirname(uri.name))]
    if info.type == FileType.Directory:
        return _all(uri, _below(uri), dirname(uri.path.rstrip("/")), named)
    if re.search(r"[*?[]", uri.path):
        root = uri.at(re.split(r"[^/]*[*?[]", uri.path)[0].rstrip("/") or "/")
        matches = partial(re.fullmatch, glob_translate(uri.path))
        return _all(root, [info for info in _below(root) if matches(info.path)], root.path, named)
    raise SourceError(f"there is no video, image or folder at '{named}'; check the path")


def _below(uri: Uri) -> Iterable[FileInfo | Listed]:
    return local_files(uri.path) if uri.is_local else uri.files()


def _all(uri: Uri, files: Iterable[FileInfo | Listed], root: str, spec: str) -> list[Item]:
    seen = [file for file in files if not basename(file.path).startswith(".")]
    known = [file for file in seen if splitext(file.path)[1].lower() in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)]
    items = [_item(uri.at(file.path), file, root) for file in _without_depth(known)]
    if not items:
        raise SourceError(f"'{spec}' has no video and no image, such as {VIDEO_SUFFIXES[0]} and {IMAGE_SUFFIXES[0]}")
    return items


def _without_depth(files: Sequence[FileInfo | Listed]) -> Iterator[FileInfo | Listed]:
    with_rgb = {dirname(file.path) for file in files if basename(file.path).startswith("rgb_")}
    for file in files:
        name = basename(file.path)
        is_other = splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith("rgb_")
        if not (is_other and dirname(file.path) in with_rgb):
            yield file


def _item(uri: Uri, info: FileInfo | Listed, root: str) -> Item:
    modified = info.mtime_ns / 1e9 if info.mtime_ns else 0.0
    source, name = str(uri), relpath(uri.name, root)
    problem = _problem(source, name)
    if problem:
        source, name = shown(source), shown(name)
    return Item(source, name, info.size or 0, modified, "" if source == uri.uri else uri.uri, problem)


def _problem(source: str, name: str) -> str:
    try:
        source.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8; rename it"
    length = len(basename(name).encode())
    return f"has a name of {length} bytes, more than {LONGEST_NAME}; rename it" if length > LONGEST_NAME else ""
