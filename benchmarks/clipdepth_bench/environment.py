"""The machine and the software a benchmark ran on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from clipdepth import __version__
from clipdepth.engines import usable_cores

LIBRARIES = ("numpy", "opencv-python", "onnxruntime", "torch", "open_clip_torch", "timm")


def environment(threads: int) -> dict[str, Any]:
    """CPU, cores, system and library versions, as JSON values."""
    return {
        "clipdepth": __version__,
        "cpu": _cpu_name(),
        "usable_cores": usable_cores(),
        "threads": threads,
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
