"""The GPU that engines are built for and run on, asked through CUDA's runtime API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clipdepth.errors import EngineError
from clipdepth.tensorrt.library import import_cuda


@dataclass(frozen=True)
class Gpu:
    """A GPU model: an engine runs on no other."""

    name: str
    compute_capability: str
    """Such as '8.7'."""

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute_capability})"


def find_gpu() -> Gpu:
    """The current CUDA device.

    Raises EngineError where there is no GPU or no working driver, MissingExtraError without cuda-bindings.
    """
    cuda = import_cuda()
    try:
        count = call(cuda.cudaGetDeviceCount)
        properties = call(cuda.cudaGetDeviceProperties, call(cuda.cudaGetDevice)) if count else None
    except RuntimeError as error:  # ours, and cuda-bindings' own where it finds no driver library
        raise EngineError(f"no NVIDIA GPU can be used here: {error}; TensorRT needs one and its driver") from None
    if properties is None:
        raise EngineError("there is no NVIDIA GPU here; TensorRT needs one")
    return Gpu(properties.name.decode(), f"{properties.major}.{properties.minor}")


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of CUDA's runtime API and return its one result or None; raises EngineError where it fails."""
    status, *results = function(*arguments)
    if status != type(status).cudaSuccess:
        raise EngineError(f"{function.__name__} answers {status.name}")
    return results[0] if results else None
