"""NVIDIA's driver, asked by ctypes before a library that may end the process looks for a GPU."""

import ctypes
import sys

from clipdepth.errors import EngineError, MissingDeviceError


def require_gpu(device: int | None) -> None:
    """Check that there is a driver, and the GPU of that number, from 0 on, where one is asked for.

    Raises MissingDeviceError without a driver, EngineError without the GPU.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError as error:
        raise MissingDeviceError(
            f"no NVIDIA driver here ({error}); install it, or give the container the GPU"
        ) from None
    if device is None:
        return
    count = ctypes.c_int()
    for name, arguments in (("cuInit", (0,)), ("cuDeviceGetCount", (ctypes.byref(count),))):
        status = getattr(driver, name)(*arguments)
        if status:
            raise EngineError(f"no NVIDIA GPU can be used here: {name} answers {status}; look at nvidia-smi")
    require_device(device, count.value, "NVIDIA GPU")


def require_device(device: int | None, count: int, kind: str) -> int:
    """The number of the device, 0 where none is asked for; raises EngineError where `count` of the kind are too few."""
    chosen = device or 0
    if chosen >= count:
        numbers = {0: "none", 1: "0 alone"}.get(count, f"0 to {count - 1}")
        raise EngineError(f"there is no device {chosen}: the numbers of each {kind} here are {numbers}; choose another")
    return chosen
