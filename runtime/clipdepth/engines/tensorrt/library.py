"""The libraries behind TensorRT engines, imported on use: a device without them still runs everything else."""

import logging
from functools import cache
from importlib import import_module
from typing import Any

from clipdepth.errors import EngineError, MissingExtraError

EXTRA = "tensorrt"
OLDEST = (10, 3)

_logger = logging.getLogger(__name__)


def import_tensorrt() -> Any:
    """The `tensorrt` module.

    Raises MissingExtraError where it is not installed, EngineError where it does not load or is older than 10.3.
    """
    module = _import("tensorrt", "tensorrt")
    version: str = module.__version__
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise EngineError(f"TensorRT {version} is installed; install 10.3 or newer")
    return module


def import_cuda() -> Any:
    """CUDA's runtime API, `cuda.bindings.runtime`; raises like `import_tensorrt`."""
    return _import("cuda.bindings.runtime", "cuda-bindings")


def native_handle(cuda_object: Any) -> int:
    """The address behind one of CUDA's objects, such as a stream, as TensorRT wants it; raises like `import_cuda`."""
    address: int = _import("cuda.bindings.utils", "cuda-bindings").get_cuda_native_handle(cuda_object)
    return address


def _import(name: str, package: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise MissingExtraError("a TensorRT engine", package, EXTRA) from None
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(f"{package} is installed and does not load: {error}; install it again") from error


def tensorrt_log() -> Any:
    """The log that every TensorRT object of this process gets: TensorRT keeps the first one it is given.

    What went wrong gathers in its `errors`, a list of str; the rest goes to Python's logging as debug messages.
    """
    return _log_of(import_tensorrt())


@cache
def _log_of(trt: Any) -> Any:
    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(message)
            else:
                _logger.debug("%s", message)

    return Log()
