"""The scripts that made the docs' figures still import, each folder in a process as when one of them is run."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.scripts import EXPERIMENTS

FOLDERS = sorted({path.parent for path in EXPERIMENTS.rglob("*.py")})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_script_of_a_folder_imports(folder: Path) -> None:
    if folder.name == "archive":
        pytest.importorskip("ray", reason="needs Ray, clipdepth[cluster]")
    names = sorted(path.stem for path in folder.glob("*.py"))
    code = f"from importlib import import_module\nfor name in {names}: import_module(name)"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
