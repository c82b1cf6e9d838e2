"""NVIDIA's management library, which comes with the driver, by ctypes: no package is needed for it."""

import ctypes
from typing import Any

from clipdepth.bundle.record import Record

_LIBRARY = "libnvidia-ml.so.1"
_GRAPHICS_CLOCK = 0
_NAME_BYTES = 96


class Gpu(Record, frozen=True):
    """A GPU as the driver tells of it."""

    name: str
    driver: str
    memory_mb: float
    clock_mhz: float | None
    """Of its graphics domain, now."""


class _Memory(ctypes.Structure):
    """nvmlMemory_t, bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class NvmlError(Exception):
    """The library is not there, or says no."""


class Nvml:
    """The library; raises NvmlError where there is no driver."""

    def __init__(self, library: str = _LIBRARY) -> None:
        try:
            self._library = ctypes.CDLL(library)
        except OSError as error:
            raise NvmlError(f"no NVIDIA driver ({error})") from None
        self._call("nvmlInit_v2")
        self.handles = [self._handle(index) for index in range(self._number("nvmlDeviceGetCount_v2", ctypes.c_uint()))]

    def gpu(self, handle: ctypes.c_void_p) -> Gpu:
        """What it tells of a GPU."""
        name, driver = (ctypes.create_string_buffer(_NAME_BYTES) for _ in range(2))
        self._call("nvmlDeviceGetName", handle, name, _NAME_BYTES)
        self._call("nvmlSystemGetDriverVersion", driver, _NAME_BYTES)
        return Gpu(name.value.decode(), driver.value.decode(), self._memory(handle).total / 1e6, self._clock(handle))

    def used_bytes(self) -> int:
        """Memory in use on all GPUs, by all processes."""
        return sum(self._memory(handle).used for handle in self.handles)

    def joules(self, handle: ctypes.c_void_p) -> float:
        """Energy since the driver was loaded, of the whole board; raises NvmlError before Volta."""
        return self._number("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong(), handle) / 1000

    def _handle(self, index: int) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
        return handle

    def _memory(self, handle: ctypes.c_void_p) -> _Memory:
        memory = _Memory()
        self._call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
        return memory

    def _clock(self, handle: ctypes.c_void_p) -> float | None:
        clock = ctypes.c_uint()
        try:
            self._call("nvmlDeviceGetClockInfo", handle, _GRAPHICS_CLOCK, ctypes.byref(clock))
        except NvmlError:
            return None
        return float(clock.value)

    def _number(self, function: str, result: Any, *arguments: Any) -> int:
        self._call(function, *arguments, ctypes.byref(result))
        return int(result.value)

    def _call(self, function: str, *arguments: Any) -> None:
        try:
            status = getattr(self._library, function)(*arguments)
        except AttributeError:
            raise NvmlError(f"this driver has no {function}") from None
        if status:
            raise NvmlError(f"{function} answers {status}")


def find_gpus() -> list[Gpu]:
    """The NVIDIA GPUs of this machine; empty where there is none or no driver."""
    try:
        nvml = Nvml()
        return [nvml.gpu(handle) for handle in nvml.handles]
    except NvmlError:
        return []


def used_megabytes() -> float | None:
    """GPU memory in use; None without a GPU."""
    try:
        return Nvml().used_bytes() / 1e6
    except NvmlError:
        return None
