"""What a command reads is not written over, by whatever name."""

import os
from pathlib import Path

import pytest

from bundles import write_bundle
from clipdepth.cli import main
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.errors import UsageError


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "films" / "a.mp4"
    path.parent.mkdir()
    path.write_bytes(b"precious")
    return path


@pytest.fixture(params=["path", "other path", "link", "hard link", "linked folder"])
def alias(request: pytest.FixtureRequest, film: Path, tmp_path: Path) -> Path:
    """Another name of the film."""
    other = tmp_path / "b.mp4"
    match request.param:
        case "path":
            return film
        case "other path":
            return film.parent / ".." / "films" / "a.mp4"
        case "link":
            other.symlink_to(film)
        case "hard link":
            other.hardlink_to(film)
        case "linked folder":
            (tmp_path / "linked").symlink_to(film.parent)
            return tmp_path / "linked" / "a.mp4"
    return other


def test_an_alias_of_an_input_is_refused(film: Path, alias: Path) -> None:
    for read in (film, film.parent, str(film.parent / "*.mp4")):
        with pytest.raises(UsageError, match="written over; choose another name"):
            refuse_overwriting([read], [alias])


def test_an_input_that_links_to_the_output_is_refused(film: Path, tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(film)
    with pytest.raises(UsageError, match="written over"):
        refuse_overwriting([tmp_path / "link.mp4"], [film])


def test_a_link_to_nothing_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    with pytest.raises(UsageError, match="written over"):
        refuse_overwriting([tmp_path / "absent"], [tmp_path / "link"])


def test_a_folder_that_is_replaced_holds_no_input(film: Path, tmp_path: Path) -> None:
    refuse_overwriting([film], [tmp_path])
    for folder in (tmp_path, film.parent):
        with pytest.raises(UsageError, match="would be replaced"):
            refuse_overwriting([film], [], replaced=[folder])
    with pytest.raises(UsageError, match="written over"):
        refuse_overwriting([film.parent], [], replaced=[film.parent])


def test_what_is_apart_is_let_through(film: Path, tmp_path: Path) -> None:
    (film.parent / "report.json").touch()
    (tmp_path / "x.mp4").touch()
    names = ["x.mp4", "new.mp4", "films/new.mp4", "films/report.json", "depth"]
    streams = ["0", "rooms:3", "rtsp://camera/x.mp4"]
    refuse_overwriting([film.parent, None, *streams], [None, *(tmp_path / name for name in names)])


def assert_refused(arguments: list[object], kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = kept.read_bytes()
    assert main([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("clipdepth: error: ")
    assert error.count("\n") == 1
    assert "written over" in error
    assert kept.read_bytes() == before


def test_commands_refuse_before_they_open_anything(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, linked, desk = tmp_path / "b.bundle", tmp_path / "linked.mp4", tmp_path / "desk.json"
    os.link(film, linked)
    write_bundle(bundle)
    for arguments in (
        ["run", "absent.bundle", "--source", film, "--output", film],
        ["run", "absent.bundle", "--source", film, "--output", linked],
        ["run", "absent.bundle", "--source", film, "--json", film],
        ["run", "absent.bundle", "--source", film.parent, "--output", film.parent],
        ["calibrate", "absent.bundle", "--source", film, "--point", "1,1=1", "--out", desk, "--calibration", desk],
    ):
        assert_refused(arguments, film, capsys)
    second = tmp_path / "films-1.mp4"
    os.link(film, second)
    sources = ["--source", film, "--source", "rooms"]
    assert_refused(["run", "absent.bundle", *sources, "--output", tmp_path / "films.mp4"], film, capsys)
    for command in ("verify", "doctor"):
        for file in ("manifest.json", "golden.npz"):
            assert_refused([command, bundle, "--json", bundle / file], bundle / file, capsys)


def test_the_archive_does_not_go_into_what_it_reads(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray")
    bundle = tmp_path / "b.bundle"
    write_bundle(bundle)
    for out in (film.parent, bundle, film):
        assert_refused(["archive", bundle, film.parent, film, "--out", out], film, capsys)
