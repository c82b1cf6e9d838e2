"""Two writers of one output: the second is refused, and a crash gives the claim back."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from bundles import TERMS, write_bundle
from clipdepth.cli import main
from clipdepth.errors import OutputError
from clipdepth.files.atomic import atomic_folder
from clipdepth.files.claim import claimed
from live_servers import wait_until


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b.bundle")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def arguments(bundle: Path, output: Path, *more: str) -> list[str]:
    return ["run", str(bundle), "--source", "rooms", "--engine", "onnxruntime", "--output", str(output), *more]


@contextmanager
def endless_run(bundle: Path, output: Path, lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "clipdepth", *arguments(bundle, output)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: lock.exists() or process.poll() is not None, seconds=60)
            assert process.poll() is None
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("name", "lock"), [("x.mp4", ".x.mp4.lock"), ("depth", "depth/.depth.png.lock")])
def test_a_second_run_is_refused_and_the_first_stays_whole(
    bundle: Path, out: Path, name: str, lock: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with endless_run(bundle, out / name, out / lock) as first:
        assert main(arguments(bundle, out / name, "--frames", "2")) == 1
        error = capsys.readouterr().err
        assert "is being written by another run; wait for its end, or choose another name" in error
        assert error.replace(TERMS, "").count("\n") == 1
        assert main(arguments(bundle, out / "other.mp4", "--frames", "2")) == 0
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 130
    assert not any(file.name.startswith(".") for file in out.rglob("*"))
    assert int(cv2.VideoCapture(str(out / "other.mp4")).get(cv2.CAP_PROP_FRAME_COUNT)) == 2


def test_a_killed_run_gives_its_claim_back_and_its_draft_is_removed(bundle: Path, out: Path) -> None:
    with endless_run(bundle, out / "x.mp4", out / ".x.mp4.lock") as first:
        wait_until(lambda: any(out.glob(".x.*.partial.mp4")), seconds=60)
        first.kill()
    assert len(names(out)) == 2
    assert main(arguments(bundle, out / "x.mp4", "--frames", "2")) == 0
    assert names(out) == ["x.mp4"]


def test_one_command_cannot_write_a_file_twice(bundle: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(bundle, out / "x.mp4", "--frames", "2", "--output", str(out / "x.mp4"))) == 1
    assert "x.mp4 is being written by another run" in capsys.readouterr().err
    assert names(out) in ([], ["x.mp4"])


def test_a_folder_has_one_writer(out: Path) -> None:
    def write_twice() -> None:
        with atomic_folder(out / "f") as partial, atomic_folder(out / "f"):
            (partial / "a").touch()

    with pytest.raises(OutputError, match="f is being written by another run"):
        write_twice()
    assert names(out) == []


def test_a_claim_is_given_back_at_its_end(out: Path) -> None:
    for _ in range(2):
        with claimed(out / "x"):
            assert names(out) == [".x.lock"]
        assert names(out) == []


def test_a_planted_link_or_pipe_is_no_claim(out: Path) -> None:
    (out / "theirs").write_text("kept")
    (out / ".x.lock").symlink_to(out / "theirs")
    os.mkfifo(out / ".y.lock")
    (out / ".z.lock").mkdir()
    for name in "xyz":
        with pytest.raises(OutputError, match=r"lock is a link or no plain file; remove it"), claimed(out / name):
            pass
    assert (out / "theirs").read_text() == "kept"


def test_a_folder_that_takes_no_claim_is_named_and_not_the_lock(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error, claimed(tmp_path / "gone" / "film.mp4"):
        pass
    assert error.value.filename == str(tmp_path / "gone")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these folders")
@pytest.mark.parametrize("output", ["/proc/film.mp4", "/proc/depth", "/sys/film.mp4", "/sys/depth"])
def test_a_folder_of_the_kernels_is_refused_in_a_line(
    output: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(bundle, Path(output), "--frames", "1")) == 1
    error = capsys.readouterr().err.replace(TERMS, "")
    assert error.count("\n") == 1
    assert str(Path(output).parent) in error
    assert "choose another place" in error
