"""NVIDIA's management library (NVML), which comes with the driver, through its Python binding nvidia-ml-py."""

from typing import Any

from clipdepth.bundle.record import Record
from clipdepth.errors import MissingExtraError


class Gpu(Record, frozen=True):
    """A GPU as the driver tells of it."""

    name: str
    driver: str
    memory_mb: float
    clock_mhz: float | None
    """Of its graphics domain, now."""


class NvmlError(Exception):
    """There is no binding or no driver, or the driver refuses."""


class Nvml:
    """The library; raises NvmlError without a driver, or without nvidia-ml-py."""

    def __init__(self) -> None:
        try:
            import pynvml
        except ModuleNotFoundError:
            raise NvmlError(str(MissingExtraError("NVML", "nvidia-ml-py", "bench"))) from None
        self._binding = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise NvmlError(f"no NVIDIA driver ({error})") from None
        count = self._ask("nvmlDeviceGetCount")
        self.handles = [self._ask("nvmlDeviceGetHandleByIndex", index) for index in range(count)]

    def gpu(self, handle: Any) -> Gpu:
        """What the driver tells of the GPU of that handle."""
        name, driver = self._ask("nvmlDeviceGetName", handle), self._ask("nvmlSystemGetDriverVersion")
        return Gpu(name, driver, self._ask("nvmlDeviceGetMemoryInfo", handle).total / 1e6, self._clock(handle))

    def used_bytes(self) -> int:
        """Memory in use on all GPUs, by all processes."""
        return sum(int(self._ask("nvmlDeviceGetMemoryInfo", handle).used) for handle in self.handles)

    def joules(self, handle: Any) -> float:
        """Energy since the driver was loaded, of the whole board; raises NvmlError before Volta."""
        return int(self._ask("nvmlDeviceGetTotalEnergyConsumption", handle)) / 1000

    def _clock(self, handle: Any) -> float | None:
        try:
            return float(self._ask("nvmlDeviceGetClockInfo", handle, self._binding.NVML_CLOCK_GRAPHICS))
        except NvmlError:
            return None

    def _ask(self, function: str, *arguments: Any) -> Any:
        try:
            return getattr(self._binding, function)(*arguments)
        except self._binding.NVMLError as error:
            raise NvmlError(f"{function} answers {error}") from None


def find_gpus() -> list[Gpu]:
    """The NVIDIA GPUs of this machine; empty without one, without its driver or without nvidia-ml-py."""
    try:
        nvml = Nvml()
        return [nvml.gpu(handle) for handle in nvml.handles]
    except NvmlError:
        return []


def used_megabytes() -> float | None:
    """GPU memory in use; None where `find_gpus` is empty."""
    try:
        return Nvml().used_bytes() / 1e6
    except NvmlError:
        return None
