"""What all tests share."""

import atexit
import os
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

# Before anything imports PyTorch: tiny models are faster on one thread, above all where other processes want the cores.
os.environ["OMP_NUM_THREADS"] = "1"
# Engines remember what they compiled and which was fastest; tests neither read nor fill the user's cache.
os.environ["XDG_CACHE_HOME"] = mkdtemp(prefix="clipdepth-tests-")
atexit.register(rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

pytest_plugins = ["skips"]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is the test's own and empty, for tests of what is remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"
