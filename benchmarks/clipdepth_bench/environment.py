"""The machine and the software a benchmark ran on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from clipdepth import __version__
from clipdepth.engines import usable_cores
from clipdepth.hardware import cpu_name

LIBRARIES = ("numpy", "opencv-python", "onnxruntime", "torch", "open_clip_torch", "timm")


def environment(threads: int) -> dict[str, Any]:
    """CPU, cores, system and library versions, as JSON values."""
    return {
        "clipdepth": __version__,
        "cpu": cpu_name(),
        "usable_cores": usable_cores(),
        "threads": threads,
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
