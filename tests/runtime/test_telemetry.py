"""No library of an engine reports to its maker, or keeps a number for the user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_openvino_writes_nothing_into_the_users_home(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    code = "import clipdepth.engines.openvino, sys; sys.exit(sys.modules.get('openvino_telemetry') is not None)"
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 0
    assert not [entry.name for entry in tmp_path.iterdir() if entry.name != "cache"]
