"""What a report says of the machine."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import clipdepth
from clipdepth.engines import usable_cores
from clipdepth.engines.hardware import cpu_name
from clipdepth_bench.measure.environment import checkout_commit, environment


def git(folder: Path, *arguments: str) -> str:
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", "-C", str(folder), *author, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_machine_and_what_is_installed() -> None:
    found = environment(3)
    assert (found.clipdepth, found.threads) == (clipdepth.__version__, 3)
    assert (found.cpu, found.usable_cores) == (cpu_name(), usable_cores())
    assert found.python == platform.python_version()
    for name in ("numpy", "torch", "onnxruntime", "openvino"):
        assert found.libraries[name] == version(name)
    assert "tensorrt-from-nowhere" not in found.libraries
    assert found.time.endswith("+00:00")
    assert found.load_average is None or abs(found.load_average - os.getloadavg()[0]) < 5


def test_the_commit_is_that_of_the_checkout_that_tracks_the_file(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "before")
    file = tmp_path / "code.py"
    file.write_text("1")
    assert checkout_commit(file) is None, "in a checkout, but not of it, as in a virtual environment"
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "-m", "x")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert checkout_commit(file) == commit
    file.write_text("2")
    assert checkout_commit(file) == f"{commit}+"
