"""The scripts that made the docs' figures still import, as when one of them is run in its folder."""

import subprocess
import sys

import pytest

from benchmarks.scripts import EXPERIMENTS

FOLDERS = sorted({path.parent for path in EXPERIMENTS.rglob("*.py")})
ON_RAY = "archive"
IMPORTING = """
import sys
from importlib import import_module
from pathlib import Path

for folder in map(Path, sys.argv[1:]):
    sys.path.insert(0, str(folder))
    for name in sorted(path.stem for path in folder.glob("*.py")):
        import_module(name)
    sys.path.pop(0)
    # Another folder may have modules of the same names.
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "").parent == folder:
            del sys.modules[name]
    print(folder.name)
"""


@pytest.mark.parametrize("on_ray", [False, True])
def test_every_script_imports(on_ray: bool) -> None:
    if on_ray:
        pytest.importorskip("ray", reason="needs Ray, clipdepth[cluster]")
    folders = [folder for folder in FOLDERS if (folder.name == ON_RAY) == on_ray]
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTING, *folders], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == [folder.name for folder in folders]
