"""The GPU that engines are built for and run on, asked through CUDA's runtime API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clipdepth.engines.nvidia import require_device
from clipdepth.engines.tensorrt.library import import_cuda
from clipdepth.errors import EngineError, MissingDeviceError


@dataclass(frozen=True)
class Gpu:
    """A GPU model: an engine runs on no other."""

    name: str
    compute_capability: str
    """Such as '8.7'."""
    index: int = 0
    """CUDA's number of the one that is meant, of several of the model."""

    def use(self) -> None:
        """Make it the current one of this thread, which CUDA keeps for each; raises EngineError where it is gone."""
        call(import_cuda().cudaSetDevice, self.index)

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute_capability})"


def find_gpu(device: int | None = None) -> Gpu:
    """The CUDA device of number `device`, from 0 on (this thread's current one).

    Raises EngineError where there is no such GPU or no working driver, MissingExtraError without cuda-bindings.
    """
    cuda = import_cuda()
    try:
        count = call(cuda.cudaGetDeviceCount)
        current = call(cuda.cudaGetDevice) if count and device is None else device
    except RuntimeError as error:  # ours, and cuda-bindings' own where it finds no driver library
        raise MissingDeviceError(
            f"no NVIDIA GPU can be used here: {error}; TensorRT needs one and its driver"
        ) from None
    if not count:
        raise MissingDeviceError("there is no NVIDIA GPU here; TensorRT needs one")
    index = require_device(current, count, "NVIDIA GPU")
    properties = call(cuda.cudaGetDeviceProperties, index)
    return Gpu(properties.name.decode(), f"{properties.major}.{properties.minor}", index)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of CUDA's runtime API and return its one result or None; raises EngineError where it fails."""
    status, *results = function(*arguments)
    if status != type(status).cudaSuccess:
        raise EngineError(f"{function.__name__} answers {status.name}")
    return results[0] if results else None
