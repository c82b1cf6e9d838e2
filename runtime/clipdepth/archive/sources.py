"""What is to be done: the videos and images of the SOURCE arguments, each with the name of its depth."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from posixpath import basename, dirname, relpath, splitext

from fsspec.utils import glob_translate
from pyarrow.fs import FileInfo

from clipdepth.archive.place import Place, open_place
from clipdepth.errors import SourceError, UsageError
from clipdepth.sources.folder import IMAGE_SUFFIXES, natural_order

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts"),
    *(".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mjpeg", ".mjpg", ".ogv"),
)


@dataclass(frozen=True)
class Item:
    """A video or an image."""

    source: str
    """Its path or URI."""
    name: str
    """Its path below the archive's folders, such as 'films/kitchen.mp4'."""
    size: int
    """Bytes."""
    modified: float
    """Seconds since 1970; 0 where its file system does not know."""

    @property
    def is_image(self) -> bool:
        """Whether it is an image, by its name."""
        return splitext(self.name)[1].lower() in IMAGE_SUFFIXES


def find_items(specs: Sequence[str], out: Place) -> list[Item]:
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
        if other.source != item.source:
            raise UsageError(
                f"{other.source} and {item.source} would both be called {item.name}; give a folder that holds both"
            )
    return sorted(named.values(), key=lambda item: [natural_order(part) for part in item.name.split("/")])


def _found(spec: str) -> list[Item]:
    place = open_place(spec)
    info = place.info
    if place.is_file:
        return [_item(place, info, dirname(place.path))]
    if place.is_folder:
        return _all(place, place.files(), dirname(place.path.rstrip("/")), spec)
    if re.search(r"[*?[]", place.path):
        root = place.at(re.split(r"[^/]*[*?[]", place.path)[0].rstrip("/") or "/")
        matches = partial(re.fullmatch, glob_translate(place.path))
        return _all(root, [info for info in root.files() if matches(info.path)], root.path, spec)
    raise SourceError(f"there is no video, image or folder at '{spec}'; check the path")


def _all(place: Place, files: Iterable[FileInfo], root: str, spec: str) -> list[Item]:
    seen = [file for file in files if not basename(file.path).startswith(".")]
    known = [file for file in seen if splitext(file.path)[1].lower() in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)]
    items = [_item(place.at(file.path), file, root) for file in _without_depth(known)]
    if not items:
        raise SourceError(f"'{spec}' has no video and no image, such as {VIDEO_SUFFIXES[0]} and {IMAGE_SUFFIXES[0]}")
    return items


def _without_depth(files: Sequence[FileInfo]) -> Iterator[FileInfo]:
    with_rgb = {dirname(file.path) for file in files if basename(file.path).startswith("rgb_")}
    for file in files:
        name = basename(file.path)
        is_other = splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith("rgb_")
        if not (is_other and dirname(file.path) in with_rgb):
            yield file


def _item(place: Place, info: FileInfo, root: str) -> Item:
    modified = info.mtime_ns / 1e9 if info.mtime_ns else 0.0
    return Item(str(place), relpath(place.path, root), info.size or 0, modified)
