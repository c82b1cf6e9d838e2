"""What all tests share."""

import atexit
import os
from shutil import rmtree
from tempfile import mkdtemp

# Before anything imports PyTorch: tiny models are faster on one thread, above all where other processes want the cores.
os.environ["OMP_NUM_THREADS"] = "1"
# Engines remember what they compiled and which was fastest; tests neither read nor fill the user's cache.
os.environ["XDG_CACHE_HOME"] = mkdtemp(prefix="clipdepth-tests-")
atexit.register(rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

pytest_plugins = ["skips"]
