"""Which videos and images the SOURCE arguments mean, and how their depth is called."""

from pathlib import Path

import pytest

from clipdepth.archive.place import open_place
from clipdepth.archive.sources import find_items
from clipdepth.errors import SourceError, UsageError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def names(tmp_path: Path, *specs: str) -> list[str]:
    return [item.name for item in find_items(specs, open_place(str(tmp_path / "out")))]


def test_a_folder_gives_all_below_it_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path / "films", "10.mp4", "9.mp4", "a/x.MKV", "notes.txt", "p.jpg", ".hidden.mp4")
    found = ["films/a/x.MKV", "films/p.jpg", "films/9.mp4", "films/10.mp4"]
    assert names(tmp_path, str(tmp_path / "films")) == found
    assert names(tmp_path, f"{tmp_path}/films/") == found
    assert names(tmp_path, f"file://{tmp_path}/films") == found


def test_an_item_knows_its_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (item,) = find_items([str(tmp_path / "a.mp4")], open_place("out"))
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
