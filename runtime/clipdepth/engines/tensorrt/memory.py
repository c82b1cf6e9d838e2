"""An engine's tensors in memory, on the GPU and on the host."""

import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from clipdepth.engines.tensorrt.gpu import call
from clipdepth.engines.tensorrt.library import import_cuda


class Buffer:
    """One tensor: memory on the GPU and pinned memory on the host, both for the largest batch.

    `device` is the address on the GPU, `host` the array on the host, (largest batch, …) of the tensor's dtype.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._cuda = import_cuda()
        size = math.prod(shape) * np.dtype(dtype).itemsize
        self.device: int = call(self._cuda.cudaMalloc, size)
        try:
            self._pinned: int = call(self._cuda.cudaMallocHost, size)
        except Exception:
            call(self._cuda.cudaFree, self.device)
            raise
        memory = memoryview((ctypes.c_uint8 * size).from_address(self._pinned)).cast("B")
        self.host: NDArray[Any] = np.frombuffer(memory, dtype).reshape(shape)

    def upload(self, batch: int, stream: Any) -> None:
        """Queue the copy of the first `batch` frames to the GPU."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        call(self._cuda.cudaMemcpyAsync, self.device, self._pinned, self.host[:batch].nbytes, kind, stream)

    def download(self, batch: int, stream: Any) -> None:
        """Queue the copy of the first `batch` frames from the GPU."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        call(self._cuda.cudaMemcpyAsync, self._pinned, self.device, self.host[:batch].nbytes, kind, stream)

    def close(self) -> None:
        """Free both; `host` may not be used after."""
        call(self._cuda.cudaFree, self.device)
        call(self._cuda.cudaFreeHost, self._pinned)
