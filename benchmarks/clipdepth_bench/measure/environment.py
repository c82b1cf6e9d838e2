"""The machine and the software a benchmark ran on."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from clipdepth import __version__
from clipdepth.bundle.record import Record
from clipdepth.engines import ENGINES, usable_cores
from clipdepth.engines.hardware import cpu_name
from clipdepth_bench.measure.nvml import Gpu, find_gpus

_OPENCV = ("opencv-python-headless", "opencv-python")
_OURS = ("numpy", *_OPENCV, "torch", "open_clip_torch", "timm", "nvidia-cudnn-cu13", "nvidia-cudnn-cu12")
LIBRARIES = (*_OURS, *sorted({package for entry in ENGINES.values() for package in entry.packages}))
_FREQUENCY = Path("/sys/devices/system/cpu/cpu0/cpufreq")


class Environment(Record, frozen=True):
    """What a time depends on. None and empty is what this machine does not tell."""

    clipdepth: str
    commit: str | None
    """The commit of the checkout the package lies in, with '+' where it was changed since."""
    time: str
    """UTC, ISO 8601, before the timing; as the load and the clocks."""
    cpu: str
    usable_cores: int
    threads: int
    governor: str | None
    cpu_mhz: float | None
    """Of the first core, as its driver tells."""
    load_average: float | None
    """Of the last minute."""
    gpus: list[Gpu]
    system: str
    python: str
    libraries: dict[str, str]


def environment(threads: int) -> Environment:
    """Look at this machine."""
    frequency = _read(_FREQUENCY / "scaling_cur_freq")
    return Environment(
        clipdepth=__version__,
        commit=checkout_commit(Path(__file__)),
        time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        cpu=cpu_name(),
        usable_cores=usable_cores(),
        threads=threads,
        governor=_read(_FREQUENCY / "scaling_governor"),
        cpu_mhz=int(frequency) / 1000 if frequency and frequency.isdigit() else None,
        load_average=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        gpus=find_gpus(),
        system=platform.platform(terse=True),
        python=platform.python_version(),
        libraries={name: found for name in LIBRARIES if (found := _version(name)) is not None},
    )


def checkout_commit(file: Path) -> str | None:
    """The commit of the git checkout that tracks `file`, with '+' for changes; None where there is none."""
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    commit = _git(file.parent, "rev-parse", "HEAD")
    changed = _git(file.parent, "status", "--porcelain", "--untracked-files=no", "--", ":/")
    return None if commit is None else commit + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
