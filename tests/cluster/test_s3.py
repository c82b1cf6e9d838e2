"""The archive in S3, by moto's server: sources, parts, depth and index, and a store that fails half-way."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from pyarrow import parquet

import clipdepth
from archive_jobs import make_job, run_stages, small_chunks
from bundles import brightness_depth
from clipdepth.cluster.archive.join import join
from clipdepth.cluster.archive.left import units
from clipdepth.cluster.archive.results import Joined
from clipdepth.cluster.archive.sources import find_items
from clipdepth.cluster.archive.uri import Uri, open_uri
from clipdepth.sinks.depth_png import to_millimetres
from clips import decoded, room_frames, write_clip

moto = pytest.importorskip("moto.server", reason="needs moto[s3], flask and flask-cors")
from werkzeug import Request  # noqa: E402, it comes with moto's server
from werkzeug.serving import make_server  # noqa: E402

LARGE = bytes(range(256)) * (30 << 12)
"""30 MB: more than S3's client uploads in one part."""


class Store:
    """moto's S3, which refuses the parts of an upload after the first `parts`, where that is set."""

    def __init__(self) -> None:
        self.parts: int | None = None
        self._app = moto.DomainDispatcherApplication(moto.create_backend_app)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        part = int(parse_qs(environ["QUERY_STRING"]).get("partNumber", ["0"])[0])
        if self.parts is not None and part > self.parts:
            Request(environ).get_data()
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>no room</Message></Error>"]
        return self._app(environ, start)  # type: ignore[no-any-return]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def bucket(store: Store) -> Iterator[Uri]:
    """A new bucket."""
    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=moto.MotoRequestHandler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    query = f"region=us-east-1&scheme=http&endpoint_override=127.0.0.1:{server.port}&allow_bucket_creation=true"
    uri = open_uri(f"s3://key:secret@films?{query}")
    uri.system.create_dir(uri.path)
    yield uri
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_written_is_read_and_listed(bucket: Uri, tmp_path: Path) -> None:
    (bucket / "a/x.bin").write(b"one")
    (bucket / "a/x.bin").write(b"two")
    (tmp_path / "draft").write_bytes(LARGE)
    (bucket / "a/b/y.bin").take(tmp_path / "draft")
    assert (bucket / "a/x.bin").read() == b"two"
    assert (bucket / "a/b/y.bin").read() == LARGE
    assert sorted(info.path for info in (bucket / "a").files()) == ["films/a/b/y.bin", "films/a/x.bin"]
    assert open_uri((bucket / "a/x.bin").uri).read() == b"two"
    (bucket / "a").remove()
    assert (bucket / "a").files() == []


@pytest.mark.parametrize("parts", [0, 1])
def test_a_store_that_fails_half_way_shows_nothing_of_it(bucket: Uri, store: Store, tmp_path: Path, parts: int) -> None:
    """Neither a new object nor, where there was one, another than that."""
    (bucket / "old.mkv").write(b"old")
    (tmp_path / "draft").write_bytes(LARGE)
    store.parts = parts
    for name in ("old.mkv", "new.mkv"):
        with pytest.raises(OSError, match="no room"):
            (bucket / name).take(tmp_path / "draft")
    assert (bucket / "old.mkv").read() == b"old"
    assert [info.path for info in bucket.files()] == ["films/old.mkv"]


def test_an_archive_from_s3_to_s3(bucket: Uri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = write_clip(tmp_path / "x.mp4", room_frames(1, 20))
    (bucket / "in/x.mp4").write(film.read_bytes())
    job = small_chunks(replace(make_job(tmp_path), out=(bucket / "out").uri), 10, monkeypatch)
    items = find_items([(bucket / "in").uri], job.folder)
    assert [item.source for item in items] == ["s3://***@films/in/x.mp4?***"]
    run_stages(items, job)
    assert isinstance(join(items[0], job), Joined)
    assert units(items, job)[0] == [items]
    names = sorted(info.path for info in job.folder.files())
    assert names == ["films/out/depth/in/x.mp4.mkv", "films/out/index/in/x.mp4.parquet"]
    (tmp_path / "x.mkv").write_bytes((job.folder / "depth/in/x.mp4.mkv").read())
    for stored, (_, picture) in zip(clipdepth.read_depth(tmp_path / "x.mkv"), decoded(film), strict=True):
        np.testing.assert_array_equal(np.rint(stored.depth * 1000), to_millimetres(brightness_depth(picture)))
    with (job.folder / "index/in/x.mp4.parquet").open() as file:
        assert parquet.read_table(file)["frame"].to_pylist() == list(range(20))
