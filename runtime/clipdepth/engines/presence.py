"""What an engine lacks, as far as it can be told without its library: most machines have few of all engines."""

import sys
from importlib.util import find_spec
from pathlib import Path

from clipdepth.engines import ENGINES, Hardware
from clipdepth.engines.nvidia import require_gpu
from clipdepth.errors import ClipdepthError, MissingDeviceError, MissingExtraError

# WSL has one device file for all.
_DEVICE_FILES: dict[Hardware, tuple[str, ...]] = {"GPU": ("dri/renderD*", "dxg"), "NPU": ("accel/accel*", "dxg")}
_SYSTEMS: dict[Hardware, tuple[str, str]] = {"Apple": ("darwin", "a Mac"), "DirectX": ("win32", "Windows")}
_REMEDIES: dict[Hardware, str] = {
    "GPU": "it needs one of Intel's with the driver, and a container has to be given /dev/dri",
    "NPU": "it needs one of Intel's with the driver, and a container has to be given /dev/accel",
}


def find_absence(name: str, devices: Path = Path("/dev")) -> ClipdepthError | None:
    """Why engine `name` cannot be here: no library, no driver, no device file; None where it may be."""
    entry = ENGINES[name]
    missing = next((module for module in entry.imports if find_spec(module) is None), None)
    if missing:
        return MissingExtraError(f"engine '{name}'", missing, entry.extra)
    system, called = _SYSTEMS.get(entry.hardware, (sys.platform, ""))
    if system != sys.platform:
        return MissingDeviceError(f"engine '{name}' runs on {called} alone; choose another one")
    if entry.hardware == "NVIDIA":
        return _driver_absence()
    patterns = _DEVICE_FILES.get(entry.hardware)
    if patterns and sys.platform == "linux" and not any(any(devices.glob(pattern)) for pattern in patterns):
        return MissingDeviceError(f"there is no {entry.hardware} here: {_REMEDIES[entry.hardware]}")
    return None


def _driver_absence() -> ClipdepthError | None:
    try:
        require_gpu(None)
    except MissingDeviceError as error:
        return error
    return None
