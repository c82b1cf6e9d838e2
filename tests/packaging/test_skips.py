"""Skips are said at the end of a run, and are failures where they are forbidden."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SKIPPING = """
import pytest

@pytest.fixture
def camera():
    pytest.skip("needs a camera,\\nand light")

@pytest.mark.skipif(True, reason="needs Chromium")
def test_page(): ...

@pytest.mark.parametrize("side", ["left", "right"])
def test_picture(camera, side): ...

def test_engine():
    pytest.skip("there is no GPU")

@pytest.mark.xfail(reason="known")
def test_known():
    raise AssertionError

def test_sum():
    assert 1 + 1 == 2
"""
WHOLE_FILE = "import pytest\npytest.importorskip('no_such_package')\n\ndef test_it(): ...\n"


def pytest_run(folder: Path, *options: str) -> tuple[int, str]:
    """The exit status and the output of pytest in `folder`."""
    command = [sys.executable, "-m", "pytest", "-p", "skips", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_some.py").write_text(SKIPPING)
    return tmp_path


def test_what_was_skipped_is_said_with_its_remedy(folder: Path) -> None:
    (folder / "test_whole.py").write_text(WHOLE_FILE)
    for _ in range(2):
        status, told = pytest_run(folder, "--skipped-to", "skipped")
    assert status == 0
    lines = [
        "   1 skipped: could not import 'no_such_package': No module named 'no_such_package'",
        "   1 skipped: needs Chromium",
        "   2 skipped: needs a camera, and light",
        "   1 skipped: there is no GPU",
    ]
    at = told.splitlines().index(lines[0])
    *said, remedy = told.splitlines()[at : at + 5]
    assert said == lines
    assert remedy.startswith("'make test-packages' brings")
    assert (folder / "skipped").read_text().splitlines() == lines * 2


def test_forbidden_skips_fail_but_those_that_name_a_gpu(folder: Path) -> None:
    status, told = pytest_run(folder, "--no-skips")
    assert status == 1
    assert "1 passed, 1 skipped, 1 xfailed, 3 errors" in told
    assert "test_some.py::test_page was skipped, which --no-skips forbids: needs Chromium" in told
    assert "test_some.py::test_picture[left] was skipped, which --no-skips forbids: needs a camera, and light" in told
    assert "test_engine was skipped" not in told


def test_a_whole_file_that_skips_fails_too(folder: Path) -> None:
    (folder / "test_whole.py").write_text(WHOLE_FILE)
    status, told = pytest_run(folder, "--no-skips")
    assert status == 2
    assert "test_whole.py was skipped, which --no-skips forbids: could not import 'no_such_package'" in told


def test_without_skips_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text("def test_it(): ...\n")
    status, told = pytest_run(tmp_path, "--no-skips", "--skipped-to", "skipped")
    assert status == 0
    assert "skipped" not in told
    assert not (tmp_path / "skipped").exists()
