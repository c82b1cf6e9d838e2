import json
import os
from pathlib import Path

import pytest

from clipdepth.errors import OutputError
from clipdepth.files.atomic import atomic_file, atomic_folder, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def fail_writing_file(path: Path) -> None:
    with atomic_file(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError


def fail_writing_folder(path: Path) -> None:
    with atomic_folder(path) as partial:
        (partial / "half").write_text("half")
        raise ZeroDivisionError


def make_folder_of(path: Path, *files: str) -> None:
    with atomic_folder(path) as partial:
        for file in files:
            (partial / file).parent.mkdir(exist_ok=True)
            (partial / file).write_text(file)


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with atomic_file(path) as partial:
        partial.write_text("whole")
        assert partial.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(path.parent) == ["a.txt"]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail_writing_file(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_failure_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_writing_file(tmp_path / "a.txt")
    assert names(tmp_path) == []


def test_json_is_written_and_an_infinity_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, 2.5, "ü"]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": [1, 2.5, "ü"]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"b": float("inf")})
    assert json.loads(path.read_text(encoding="utf-8"))["b"][0] == 1
    assert names(tmp_path) == ["a.json"]


def test_text_is_utf_8(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "Tür")
    assert (tmp_path / "a.txt").read_bytes() == b"T\xc3\xbcr"


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    make_folder_of(path, "one", "deep/two")
    make_folder_of(path, "three")
    assert names(path) == ["three"]
    assert names(tmp_path) == ["f"]


def test_a_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    path = tmp_path / "f"
    make_folder_of(path, "one")
    with pytest.raises(ZeroDivisionError):
        fail_writing_folder(path)
    assert names(path) == ["one"]
    assert names(tmp_path) == ["f"]


def test_what_a_crash_left_is_cleared_away(tmp_path: Path) -> None:
    make_folder_of(tmp_path / "f", "one")
    for left in (".f.0123456789abcdef.partial", ".f.replaced"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "stale").touch()
    make_folder_of(tmp_path / "f", "two")
    assert names(tmp_path / "f") == ["two"]
    assert names(tmp_path) == ["f"]


def test_a_crash_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    make_folder_of(tmp_path / ".f.replaced", "one")
    with pytest.raises(ZeroDivisionError):
        fail_writing_folder(tmp_path / "f")
    assert names(tmp_path / "f") == ["one"]


def test_a_failing_rename_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder_of(tmp_path / "f", "one")
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OSError, match="No space"):
        make_folder_of(tmp_path / "f", "two")
    assert names(tmp_path / "f") == ["one"]
    assert names(tmp_path) == ["f"]


def test_something_else_in_the_way_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder is a folder"):
        write_text(tmp_path / "folder", "")
    with pytest.raises(OutputError, match="file is a file"):
        make_folder_of(tmp_path / "file", "one")
    with pytest.raises(OutputError, match="is a file or lies inside one"):
        write_text(tmp_path / "file" / "a.txt", "")
    with pytest.raises(OutputError, match="is a file or lies inside one"):
        write_text(tmp_path / "file" / "deep" / "a.txt", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.skipif(os.name == "nt", reason="disks of Windows have folders of their users at their root")
def test_no_folder_is_made_at_the_root() -> None:
    top = Path("/no-such-folder-of-clipdepth")
    for write in (atomic_file, atomic_folder):
        with pytest.raises(OutputError, match=rf"there is no folder {top}; check the path"), write(top / "a" / "b.mp4"):
            pass
    assert not top.exists()


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    def fill(path: Path) -> None:
        with atomic_file(path) as partial:
            partial.unlink()
            partial.symlink_to("/dev/full")
            partial.write_text("more than there is room for")

    with pytest.raises(OSError, match="No space") as error:
        fill(tmp_path / "a.txt")
    assert error.value.filename == str(tmp_path / "a.txt")
    assert names(tmp_path) == []


def test_a_draft_cannot_be_foreseen_and_goes_through_no_link(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a.txt") as first, atomic_file(tmp_path / "a.txt") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a.txt").read_text() == "first"


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("kept")
    (tmp_path / "a.txt").symlink_to(tmp_path / "other")
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "other").read_text() == "kept"
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_planted_link_is_no_folder_to_restore(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / ".f.replaced").symlink_to(tmp_path / "theirs")
    make_folder_of(tmp_path / "f", "one")
    assert names(tmp_path) == ["f", "theirs"]
    assert not (tmp_path / "f").is_symlink()


def test_names_of_250_bytes_are_written(tmp_path: Path) -> None:
    for name in ("a" * 246 + ".txt", "ü" * 123 + ".txt"):
        write_text(tmp_path / name, "whole")
        assert (tmp_path / name).read_text() == "whole"
