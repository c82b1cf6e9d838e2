"""Files and folders wherever pyarrow's file systems or fsspec reach: local disks, S3, GCS and others."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import dirname, join
from typing import IO
from uuid import uuid4

import fsspec
import pyarrow as pa
from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType, FSSpecHandler, LocalFileSystem, PyFileSystem

from clipdepth.errors import OutputError, UsageError
from clipdepth.files.flush import flush
from clipdepth.files.foreign import shown
from clipdepth.sources.network import redacted

_OBJECT_STORES = ("s3", "gcs")
"""In pyarrow's names."""


@dataclass(frozen=True)
class Uri:
    """A file or folder: a file system and a path on it, with '/' between folders; `str` has no secret in it."""

    system: FileSystem
    path: str
    scheme: str = ""
    """What stands before '://', empty for a local path."""
    query: str = ""
    """What stands behind '?', such as an S3 region."""
    user: str = ""
    """What stands before '@', such as an S3 key and its secret."""

    @property
    def uri(self) -> str:
        """What `open_uri` takes, passwords and signatures included."""
        if not self.scheme or self._is_url:
            return self.path
        return f"{self.scheme}://{self.user}{self.path}{self.query}"

    def __str__(self) -> str:
        if self._is_url:
            return redacted(self.path)
        hidden = replace(self, user=self.user and "***@", query=self.query and "?***")
        return hidden.uri

    @property
    def name(self) -> str:
        """The path without what stands behind '?' in a URL."""
        return re.split(r"[?#]", self.path)[0] if self._is_url else self.path

    @property
    def _is_url(self) -> bool:
        """Whether the file system takes whole URLs as paths, as fsspec's for HTTP does."""
        return bool(self.scheme) and self.path.startswith(f"{self.scheme}://")

    def reason(self, error: Exception) -> str:
        """What an error says, where that cannot name the place with its secrets."""
        return str(getattr(error, "strerror", None) or (error if self.is_local else type(error).__name__))

    def at(self, path: str) -> "Uri":
        """Another path on the same file system."""
        return replace(self, path=path)

    def __truediv__(self, name: str) -> "Uri":
        return self.at(join(self.path, name))

    @property
    def parent(self) -> "Uri":
        """The folder that it is in."""
        return self.at(dirname(self.path))

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's own file system, or one that is mounted there."""
        return isinstance(self.system, LocalFileSystem)

    @property
    def info(self) -> FileInfo:
        """Its type, size and time of change."""
        return self.system.get_file_info(self.path)

    @property
    def is_file(self) -> bool:
        """Whether there is a file."""
        return bool(self.info.type == FileType.File)

    @property
    def is_folder(self) -> bool:
        """Whether there is a folder."""
        return bool(self.info.type == FileType.Directory)

    def files(self, *, recursive: bool = True) -> list[FileInfo]:
        """The files in this folder, whole paths, in no order; none where there is no such folder."""
        selector = FileSelector(self.path, allow_not_found=True, recursive=recursive)
        return [info for info in self.system.get_file_info(selector) if info.type == FileType.File]

    def open(self) -> IO[bytes]:
        """Open the file to read; it can be sought in."""
        return self.system.open_input_file(self.path)  # type: ignore[no-any-return]

    def read(self) -> bytes:
        """The file's content."""
        with self.open() as file:
            return file.read()

    def write(self, data: bytes | pa.Buffer) -> None:
        """Write the whole file, or nothing, and folders where they are missing.

        Two processes may write the same file at the same time; the last one to finish wins.
        """
        if self.system.type_name in _OBJECT_STORES:
            # They know no folders, and show a file when it is closed, also after an error: all of it goes in one call.
            self._put(data)
            return
        self._make_parent()
        draft = self.parent / f".{uuid4().hex}.partial"
        try:
            draft._put(data)
            self._sync(draft.path)
            self.system.move(draft.path, self.path)
            self._sync(self.parent.path)
        except BaseException:
            if draft.is_file:
                self.system.delete_file(draft.path)
            raise

    def take(self, file: Path) -> None:
        """Write what the local file holds, which may be moved for it."""
        if self.is_local:
            self._make_parent()
            self._sync(str(file))
            file.replace(self.path)
            self._sync(self.parent.path)
            return
        with pa.memory_map(str(file)) as mapped:
            self.write(mapped.read_buffer())

    def remove(self) -> None:
        """Remove the folder and all in it, where there is one."""
        if self.is_folder:
            self.system.delete_dir(self.path)

    def _put(self, data: bytes | pa.Buffer) -> None:
        with self.system.open_output_stream(self.path) as file:
            file.write(data)

    def _make_parent(self) -> None:
        try:
            self.system.create_dir(self.parent.path, recursive=True)
        except (FileExistsError, NotADirectoryError):
            raise OutputError(f"{self.parent} is a file or lies inside one; choose another place") from None

    def _sync(self, path: str) -> None:
        """Have the disk keep a file or folder now; other systems do so by themselves."""
        if self.is_local:
            flush(Path(path))


def open_uri(spec: str) -> Uri:
    """The place that a path or URI names, such as 'films', 's3://bucket/films' or 'gs://bucket/film.mp4'.

    Schemes that pyarrow has no file system for are fsspec's. Raises UsageError for one that neither knows, or
    whose package is not installed, or for a path that is no UTF-8.
    """
    try:
        spec.encode()
    except UnicodeEncodeError:
        raise UsageError(f"'{shown(spec)}' is not UTF-8; rename it") from None
    scheme, separator, _ = spec.partition("://")
    if not separator:
        return Uri(LocalFileSystem(), Path(spec).absolute().as_posix())
    query = f"?{spec.partition('?')[2]}" if "?" in spec else ""
    try:
        system, path = FileSystem.from_uri(spec)
    except pa.ArrowInvalid:
        return _open_by_fsspec(spec, scheme)
    user, at, _ = spec.partition("://")[2].partition("/")[0].rpartition("@")
    return Uri(system, path, "" if scheme == "file" else scheme, query, user + at)


def _open_by_fsspec(spec: str, scheme: str) -> Uri:
    try:
        system, path = fsspec.core.url_to_fs(spec)
    except (ValueError, ImportError, OSError) as error:
        hidden = redacted(spec)
        reason = f"{str(error).replace(spec, hidden)}; give a path, or install what the scheme needs"
        raise UsageError(f"'{hidden}' cannot be opened: {reason}") from None
    return Uri(PyFileSystem(FSSpecHandler(system)), path, scheme)
