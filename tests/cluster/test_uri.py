"""Places on the local disk, and through fsspec."""

from errno import ENOSPC
from pathlib import Path
from types import SimpleNamespace

import pytest
from fsspec.implementations.local import LocalFileSystem
from pyarrow import PythonFile
from pyarrow.fs import FSSpecHandler, PyFileSystem

from clipdepth.cluster.archive.uri import Uri, open_uri
from clipdepth.errors import OutputError, UsageError

EVERY = pytest.mark.parametrize("scheme", ["", "file://", "memory://"])
"""A path, pyarrow's file system, and one of fsspec's."""


@pytest.fixture
def folder(tmp_path: Path, scheme: str) -> Uri:
    return open_uri(f"{scheme}{tmp_path}")


@EVERY
def test_what_is_written_is_read_and_listed(folder: Uri) -> None:
    below = folder / "a/b"
    assert not below.is_folder
    assert below.files() == []
    (below / "x.bin").write(b"one")
    (below / "x.bin").write(b"two")
    (below / "c/y.bin").write(b"three")
    assert (below / "x.bin").read() == b"two"
    assert sorted(info.path for info in below.files()) == [f"{below.path}/c/y.bin", f"{below.path}/x.bin"]
    assert [info.size for info in below.files(recursive=False)] == [3]
    below.remove()
    below.remove()
    assert not below.is_folder


@EVERY
def test_its_name_opens_it_again(folder: Uri) -> None:
    (folder / "x.bin").write(b"one")
    assert open_uri((folder / "x.bin").uri).read() == b"one"


class FullDisk(FSSpecHandler):
    """A local disk with room for three bytes of a file."""

    def __init__(self) -> None:
        super().__init__(LocalFileSystem())

    def open_output_stream(self, path: str, metadata: object) -> PythonFile:
        target = open(path, "wb")  # noqa: SIM115, PTH123, closed by who closes the stream

        def write(data: bytes) -> int:
            target.write(bytes(data)[:3])
            raise OSError(ENOSPC, "No space left on device")

        return PythonFile(SimpleNamespace(write=write, flush=target.flush, close=target.close, closed=False), "w")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"one")
    uri = Uri(PyFileSystem(FullDisk()), str(tmp_path / "x.bin"))
    with pytest.raises(OSError, match="No space left"):
        uri.write(b"seven bytes")
    assert [path.name for path in tmp_path.iterdir()] == ["x.bin"]
    assert (tmp_path / "x.bin").read_bytes() == b"one"


@EVERY
def test_it_takes_a_local_file(folder: Uri, tmp_path_factory: pytest.TempPathFactory) -> None:
    draft = tmp_path_factory.mktemp("drafts") / "draft"
    draft.write_bytes(b"film")
    uri = folder / "films/x.mkv"
    uri.take(draft)
    assert uri.read() == b"film"
    assert [info.path for info in uri.parent.files()] == [uri.path]


@EVERY
def test_reading_can_seek(folder: Uri) -> None:
    (folder / "x.bin").write(b"0123456789")
    with (folder / "x.bin").open() as file:
        file.seek(5)
        assert file.read(2) == b"56"


def test_a_path_is_a_file_as_others_see_it(tmp_path: Path) -> None:
    (open_uri(str(tmp_path)) / "a/x.bin").write(b"one")
    assert (tmp_path / "a/x.bin").read_bytes() == b"one"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x.bin"]


def test_a_relative_path_is_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(open_uri("films")) == str(tmp_path / "films")


def test_a_query_is_kept() -> None:
    spec = "s3://bucket/films?region=eu-west-1&endpoint_override=localhost:1&scheme=http"
    uri = open_uri(spec)
    assert uri.uri == spec
    assert (uri / "a.mp4").uri == spec.replace("films", "films/a.mp4")


SECRETS = ("AKIAKEY", "topsecret", "X-Signature", "deadbeef")


def test_keys_open_a_place_and_are_not_shown() -> None:
    spec = "s3://AKIAKEY:topsecret@bucket/date=2019/films?region=eu"
    uri = open_uri(spec)
    assert uri.uri == spec
    assert str(uri / "a.mp4") == "s3://***@bucket/date=2019/films/a.mp4?***"
    with pytest.raises(UsageError) as error:
        open_uri("nowhere://AKIAKEY:topsecret@bucket/films?X-Signature=deadbeef")
    assert not any(secret in str(error.value) for secret in SECRETS)


def test_a_name_that_is_no_utf_8_is_told() -> None:
    with pytest.raises(UsageError, match=r"'caf\\xe9' is not UTF-8; rename it"):
        open_uri("caf\udce9")


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(UsageError, match="'nowhere://x' cannot be opened"):
        open_uri("nowhere://x")


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"file")
    with pytest.raises(OutputError, match="a is a file or lies inside one; choose another place"):
        (open_uri(str(tmp_path)) / "a/x.bin").write(b"one")
