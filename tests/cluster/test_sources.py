"""Which videos and images the SOURCE arguments mean, and how their depth is called."""

import os
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from clipdepth.cluster.archive.sources import find_items
from clipdepth.cluster.archive.uri import open_uri
from clipdepth.errors import SourceError, UsageError
from clipdepth.sources.folder import IMAGE_SUFFIXES


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def names(tmp_path: Path, *specs: str) -> list[str]:
    return [item.name for item in find_items(specs, open_uri(str(tmp_path / "out")))]


def test_a_folder_gives_all_below_it_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path / "films", "10.mp4", "9.mp4", "a/x.MKV", "notes.txt", "p.jpg", ".hidden.mp4")
    found = ["films/a/x.MKV", "films/p.jpg", "films/9.mp4", "films/10.mp4"]
    assert names(tmp_path, str(tmp_path / "films")) == found
    assert names(tmp_path, f"{tmp_path}/films/") == found
    assert names(tmp_path, f"file://{tmp_path}/films") == found


def test_images_are_those_that_run_takes(tmp_path: Path) -> None:
    files = [f"p{number}{suffix}" for number, suffix in enumerate(IMAGE_SUFFIXES)]
    touch(tmp_path / "photos", *files, "p9.heic", "p9.txt")
    items = find_items([str(tmp_path / "photos")], open_uri("out"))
    assert [item.name for item in items] == [f"photos/{name}" for name in files]
    assert all(item.is_image for item in items)


def test_an_item_knows_its_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (item,) = find_items([str(tmp_path / "a.mp4")], open_uri("out"))
    assert (item.source, item.name, item.size) == (str(tmp_path / "a.mp4"), "a.mp4", 5)
    assert item.modified == pytest.approx((tmp_path / "a.mp4").stat().st_mtime)
    assert not item.is_image


def test_a_pattern_gives_what_matches(tmp_path: Path) -> None:
    touch(tmp_path, "2019/a.mp4", "2019/b.avi", "2020/c.mp4", "2020/deep/d.mp4")
    assert names(tmp_path, f"{tmp_path}/20*/*.mp4") == ["2019/a.mp4", "2020/c.mp4"]
    assert names(tmp_path, f"{tmp_path}/2020/**/*.mp4") == ["c.mp4", "deep/d.mp4"]
    assert names(tmp_path, f"file://{tmp_path}/20*/[ac].mp4") == ["2019/a.mp4", "2020/c.mp4"]


def test_a_file_of_any_suffix_is_taken_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "camera.dat")
    assert names(tmp_path, str(tmp_path / "camera.dat")) == ["camera.dat"]


def test_the_same_file_twice_is_one(tmp_path: Path) -> None:
    touch(tmp_path, "films/a.mp4")
    assert names(tmp_path, str(tmp_path / "films"), str(tmp_path / "films")) == ["films/a.mp4"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.mp4", "y/a.mp4")
    with pytest.raises(UsageError, match=r"x/a\.mp4 and .*y/a\.mp4 would both be called a\.mp4"):
        names(tmp_path, str(tmp_path / "x/a.mp4"), str(tmp_path / "y/a.mp4"))


def test_the_output_is_no_source(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "out/depth/a.mp4.mkv", "outside/b.mp4")
    root = tmp_path.name
    assert names(tmp_path, str(tmp_path)) == [f"{root}/a.mp4", f"{root}/outside/b.mp4"]


def test_depth_beside_nyus_pictures_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "scene/rgb_0.jpg", "scene/sync_depth_0.png", "other/photo.png")
    root = tmp_path.name
    assert names(tmp_path, str(tmp_path)) == [f"{root}/other/photo.png", f"{root}/scene/rgb_0.jpg"]


@pytest.mark.parametrize("spec", ["missing", "missing/*.mp4", "empty"])
def test_nothing_is_an_error(tmp_path: Path, spec: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"has no video and no image|there is no video"):
        names(tmp_path, str(tmp_path / spec))


def test_a_folder_is_listed_once_wherever_links_lead(tmp_path: Path) -> None:
    touch(tmp_path, "films/a.mp4", "films/deep/b.mp4", "elsewhere/c.mp4", "outside.mp4")
    for name, target in {"loop": ".", "up": "..", "again": "deep", "deep/top": "..", "far": "../elsewhere"}.items():
        (tmp_path / "films" / name).symlink_to(target)
    (tmp_path / "films" / "nothing.mp4").symlink_to("absent")
    assert sorted(names(tmp_path, str(tmp_path / "films"))) == ["films/a.mp4", "films/deep/b.mp4", "films/far/c.mp4"]
    assert names(tmp_path, f"{tmp_path}/films/**/b.mp4") == ["deep/b.mp4"]


def test_pipes_and_devices_are_no_films(tmp_path: Path) -> None:
    touch(tmp_path, "films/a.mp4")
    os.mkfifo(tmp_path / "films" / "b.mp4")
    assert names(tmp_path, str(tmp_path / "films")) == ["films/a.mp4"]


def test_names_that_cannot_be_taken_stop_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "films/a.mp4", "films/" + "n" * 234 + ".mp4", "films/" + "n" * 235 + ".mp4")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/films/caf\xe9.mp4")).touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/films/d\xff")).mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/films/d\xff/b.jpg")).touch()
    found = {item.name: item.problem for item in find_items([str(tmp_path / "films")], open_uri("out"))}
    assert found == {
        "films/a.mp4": "",
        "films/" + "n" * 234 + ".mp4": "",
        "films/" + "n" * 235 + ".mp4": "has a name of 239 bytes, more than 238; rename it",
        "films/caf\\xe9.mp4": "has a name that is not UTF-8; rename it",
        "films/d\\xff/b.jpg": "has a name that is not UTF-8; rename it",
    }


class WebFiles(MemoryFileSystem):
    """Takes whole URLs as paths, as fsspec's file system for HTTP does."""

    protocol = "web"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        if "missing" in path:
            raise PermissionError(f"403 for {path}")
        return {"name": path, "size": 7, "type": "file"}


@pytest.fixture
def web() -> None:
    fsspec.register_implementation("web", WebFiles, clobber=True)


@pytest.mark.usefixtures("web")
def test_a_url_stays_one_and_its_secrets_are_not_shown() -> None:
    url = "web://anna:topsecret@host/films/a.mp4?X-Signature=deadbeef"
    (item,) = find_items([url], open_uri("out"))
    assert item.file.uri == url
    assert (item.source, item.name) == ("web://***@host/films/a.mp4?***", "a.mp4")
    with pytest.raises(SourceError) as error:
        find_items([url.replace("a.mp4", "missing.mp4")], open_uri("out"))
    assert str(error.value).startswith("web://***@host/films/missing.mp4?*** cannot be looked at (PermissionError)")


@pytest.mark.usefixtures("web")
def test_two_urls_that_are_shown_alike_are_not_taken_for_one() -> None:
    with pytest.raises(UsageError, match=r"would both be called a\.mp4"):
        find_items(["web://host/a.mp4?id=1", "web://host/a.mp4?id=2"], open_uri("out"))
