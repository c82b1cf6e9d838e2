"""What this machine computes with, as the system tells: no library of an engine is loaded for it."""

import platform
from itertools import chain
from pathlib import Path

_CPU = Path("/proc/cpuinfo")
_OPENCV_FEATURES = {"avx2": 11, "avx512_vnni": 23}
"""Numbers of OpenCV's CpuFeatures, which have no names in Python."""
_NODES = ("nvidia[0-9]*", "nvhost-gpu", "dri/renderD*", "accel/accel*")


def describe_hardware() -> dict[str, str]:
    """The CPU, the board, the NVIDIA driver and GPUs, and the device files of any GPU or NPU this process can see."""
    gpus = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    nodes = sorted(chain.from_iterable(Path("/dev").glob(pattern) for pattern in _NODES))
    return {
        "cpu": cpu_name(),
        "board": _read(Path("/proc/device-tree/model")).strip("\0\n"),
        "nvidia driver": _read(Path("/proc/driver/nvidia/version")).partition("\n")[0],
        "nvidia gpus": ", ".join(_field(_read(path), "Model") for path in gpus),
        "device files": " ".join(str(node) for node in nodes),
    }


def cpu_name() -> str:
    """Such as 'AMD EPYC'; only the architecture where the system tells no name."""
    return _field(_read(_CPU), "model name") or platform.processor() or platform.machine()


def overflows_in_int8() -> bool:
    """Whether this is an x86 processor whose sums of two products of int8 are cut off at 16 bits: one without VNNI.

    Windows and macOS have no file that tells; OpenCV does there. It does not know AVX-VNNI, which processors without
    AVX-512 have: they count as overflowing, so that their depth is exact, and slower than it could be.
    """
    flags = _field(_read(_CPU), "flags").split() or _flags_by_opencv()
    return "avx2" in flags and not {"avx512_vnni", "avx_vnni", "avx_vnni_int8"} & set(flags)


def _flags_by_opencv() -> list[str]:
    import cv2

    return [flag for flag, feature in _OPENCV_FEATURES.items() if cv2.checkHardwareSupport(feature)]


def _field(text: str, name: str) -> str:
    """The value of the first line 'name : value'."""
    pairs = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
