import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import write_bundle
from clipdepth import __version__
from clipdepth.cli import COMMANDS, Command, main
from clipdepth.cli.interruption import Terminated
from clipdepth.errors import ClipdepthError


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"  {name}" in out
        assert command.summary in out


def test_no_command_shows_help_and_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: clipdepth" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"clipdepth {__version__}\n"


def test_an_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strem"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("clipdepth: error: unknown command 'strem'; choose one of demo,")
    assert err.count("\n") == 1


def script(code: str) -> subprocess.CompletedProcess[str]:
    start = "import sys; from clipdepth.cli import main;"
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)


def test_a_missing_extra_says_which_to_install(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    blocked = "sys.modules['onnxruntime'] = None;"
    result = script(f"{blocked} sys.exit(main(['verify', {str(bundle)!r}]))")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        "clipdepth: error: engine 'onnxruntime' needs onnxruntime, which is not installed; "
        "run pip install 'clipdepth[cpu]'\n"
    )


def test_a_command_whose_extra_is_missing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "needy_command.py").write_text("import a_package_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(COMMANDS, "needy", Command("needy_command", "train", ""))
    assert main(["needy"]) == 1
    assert capsys.readouterr().err == (
        "clipdepth: error: clipdepth needy needs a_package_that_is_not_there, which is not installed; "
        "run pip install 'clipdepth[train]'\n"
    )


def raising(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """The status and stderr of a command that raises `error`."""

    def command(_: object) -> int:
        raise error

    monkeypatch.setattr("clipdepth.cli._load", lambda _: command)
    status = main(["run"])
    return status, capsys.readouterr().err


def test_an_error_of_ours_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = ClipdepthError("first line\n  second line")
    assert raising(error, monkeypatch, capsys) == (1, "clipdepth: error: first line second line\n")


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(KeyboardInterrupt(), monkeypatch, capsys) == (130, "clipdepth: error: interrupted\n")


def test_sigterm_is_143(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(Terminated(), monkeypatch, capsys) == (143, "clipdepth: error: interrupted\n")


def test_logs_are_text_or_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CLIPDEPTH_LOG", "xml")
    assert main(["verify", "nowhere"]) == 2
    assert capsys.readouterr().err == "clipdepth: error: CLIPDEPTH_LOG is 'xml'; set it to text or json\n"


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/x.png")
    assert raising(error, monkeypatch, capsys) == (
        1,
        "clipdepth: error: out/x.png: No space left on device; free some space or choose another place\n",
    )


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError(), monkeypatch, capsys)
    with pytest.raises(OSError, match="odd"):
        raising(OSError(errno.EBADF, "odd"), monkeypatch, capsys)


def test_a_reader_that_stops_reading_is_no_traceback() -> None:
    command = f"{sys.executable} -m clipdepth --help | true"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr


def test_warnings_go_to_stderr_and_opencv_keeps_quiet(tmp_path: Path) -> None:
    video = tmp_path / "v.mp4"
    video.write_bytes(b"no video" * 100)
    bundle = write_bundle(tmp_path / "b")
    result = script(f"sys.exit(main(['run', {str(bundle)!r}, '--source', {str(video)!r}]))")
    assert result.returncode == 1
    assert result.stderr.startswith("clipdepth: error: ")
    assert result.stderr.count("\n") == 1
