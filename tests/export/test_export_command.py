"""`clipdepth export` as a user calls it."""

import ctypes
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.cli import main
from clipdepth_export import exporter
from clipdepth_export.sources.run import run_source
from runs import write_rgbd_folder


@pytest.fixture
def run(edge: Bundle) -> Path:
    """The tiny edge run."""
    return edge.path.with_suffix("")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def fails_in_one_line(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("clipdepth: error: ")
    assert err.count("\n") == 1
    return err


def test_the_bundle_lies_beside_the_run_and_verifies(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Golden frames come from other data where it is given; an earlier bundle is replaced whole."""
    here = shutil.copytree(run, tmp_path / "here[1]")
    other = write_rgbd_folder(tmp_path / "other", 1, 3, 64, 64)
    bundle = write_bundle(tmp_path / "here[1].bundle")
    (bundle / "left-over").touch()
    assert main(["export", str(here), "--data", str(other)]) == 0
    out, err = capsys.readouterr()
    assert f"{bundle}: 64×96" in out
    assert "operators" in out
    assert "depth differs so much from PyTorch's on 3 test frames" in out
    assert "rror" not in err
    assert sorted(contents(bundle)) == ["depth.fp32.onnx", "golden.npz", "manifest.json"]
    opened = open_bundle(bundle)
    assert (opened.manifest.name, len(opened.golden().frames)) == ("here[1]", 3)
    assert not np.array_equal(opened.golden().frames[0], open_bundle(run.with_suffix(".bundle")).golden().frames[0])
    assert main(["verify", str(bundle)]) == 0


def test_a_folder_that_is_no_bundle_is_left_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holiday = tmp_path / "holiday"
    (holiday / "photos").mkdir(parents=True)
    (holiday / "photos" / "beach.jpg").write_bytes(b"sand")
    err = fails_in_one_line(["export", str(run), "--out", str(holiday)], 2, capsys)
    assert f"{holiday} exists and is no bundle" in err
    assert contents(holiday) == {"photos/beach.jpg": b"sand"}


STRANGE = {
    "a web application": b'{"name": "Shop", "icons": [], "start_url": "/", "display": "standalone"}',
    "a browser extension": b'{"manifest_version": 3, "name": "Notes", "version": "1.0"}',
    "another schema": b'{"schema": 3, "name": "kitchen"}',
    "our schema and nothing else": b'{"schema": 2}',
    "no JSON": b"manifest",
    "nothing": b"",
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE)
def test_a_folder_with_another_manifest_is_left_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    shop = tmp_path / "shop"
    (shop / "src").mkdir(parents=True)
    (shop / "src" / "index.js").write_bytes(b"years of work")
    (shop / "manifest.json").write_bytes(content)
    err = fails_in_one_line(["export", str(run), "--out", str(shop)], 2, capsys)
    assert f"{shop} exists and is no bundle of this clipdepth; choose another --out" in err
    assert contents(shop) == {"src/index.js": b"years of work", "manifest.json": content}
    assert list(tmp_path.iterdir()) == [shop]


def test_a_link_to_a_bundles_manifest_makes_no_bundle(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, shop = write_bundle(tmp_path / "b"), tmp_path / "shop"
    shop.mkdir()
    (shop / "manifest.json").symlink_to(bundle / "manifest.json")
    assert "is no bundle" in fails_in_one_line(["export", str(run), "--out", str(shop)], 2, capsys)
    assert (shop / "manifest.json").is_symlink()


def test_a_file_in_the_way_is_left_alone(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes").write_text("mine")
    err = fails_in_one_line(["export", str(run), "--out", str(tmp_path / "notes")], 2, capsys)
    assert "is no bundle" in err
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_missing_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = fails_in_one_line(["export", str(tmp_path / "nowhere")], 1, capsys)
    assert "no checkpoint.safetensors in" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_checkpoint(run: Path, tmp_path: Path, kept: float, capsys: pytest.CaptureFixture[str]) -> None:
    content = (run / "checkpoint.safetensors").read_bytes()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "checkpoint.safetensors").write_bytes(content[: int(kept * len(content))])
    err = fails_in_one_line(["export", str(broken)], 1, capsys)
    assert "checkpoint.safetensors is damaged" in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["broken"]


def test_golden_data_that_is_not_there(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", str(run), "--out", str(tmp_path / "b"), "--data", str(tmp_path / "nowhere")]
    assert "no data at" in fails_in_one_line(arguments, 1, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 kB: room for golden frames and an earlier bundle, not for the graph."""
    place = tmp_path / "disk"
    place.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", os.fsencode(place), b"tmpfs", 0, b"size=512k"):
        pytest.skip(f"needs root, to mount a small disk: {os.strerror(ctypes.get_errno())}")
    yield place
    libc.umount2(os.fsencode(place), 2)  # 2: detach even if something is open


def test_a_full_disk_leaves_no_bundle(run: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = fails_in_one_line(["export", str(run), "--out", str(small_disk / "new.bundle")], 1, capsys)
    assert "No space left on device; free some space" in err
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_leaves_the_earlier_bundle(run: Path, small_disk: Path) -> None:
    earlier = write_bundle(small_disk / "x.bundle")
    before = contents(small_disk)
    assert main(["export", str(run), "--out", str(earlier)]) == 1
    assert contents(small_disk) == before
    open_bundle(earlier)


def test_a_write_that_fails_leaves_the_earlier_bundle(run: Path, tmp_path: Path) -> None:
    """As on a full disk, where none can be mounted: no file may grow beyond 400 kB."""
    earlier = write_bundle(tmp_path / "x.bundle")
    before = contents(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            exporter.write_bundle(run_source(run), earlier)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path) == before
