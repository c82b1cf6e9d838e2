"""The user's cache: private, and of what lies in it only the user's own is used."""

from pathlib import Path

import pytest

from clipdepth.bundle.cache import cache_folder, make_private, read_own
from clipdepth.errors import OutputError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "clipdepth"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folders_are_made_private_and_those_that_were_not_become_so(cache: Path) -> None:
    (cache / "bundle").mkdir(parents=True)
    (cache / "bundle").chmod(0o777)
    cache.chmod(0o775)
    above = mode(cache.parent)
    make_private(cache_folder() / "bundle" / "engines")
    assert [mode(folder) for folder in (cache, cache / "bundle", cache / "bundle" / "engines")] == [0o700] * 3
    assert mode(cache.parent) == above


@pytest.mark.parametrize("place", ["", "bundle", "bundle/engines", "bundle/engines/model.blob"])
def test_what_is_another_users_is_refused_by_its_name(cache: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    folder = cache / "bundle" / "engines"
    folder.mkdir(parents=True)
    (folder / "model.blob").touch()
    strange = cache / place
    real = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> object:
        found = real(path, follow_symlinks=follow_symlinks)
        return type(found)((*found[:4], found.st_uid + 1, *found[5:])) if path == strange else found

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(OutputError, match=f"^{strange} in the cache belongs to another user; remove it, or set XDG"):
        make_private(folder)


def test_a_folder_outside_the_cache_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in the subpath"):
        make_private(tmp_path / "elsewhere")


def test_only_plain_files_are_read(cache: Path, tmp_path: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "own").write_bytes(b"own")
    (cache / "link").symlink_to(cache / "own")
    assert read_own(cache / "own") == b"own"
    assert [read_own(cache / name) for name in ("link", "missing", "")] == [None] * 3
