"""A simulated GPU: as much of CUDA's runtime API and of TensorRT's runtime as an engine uses, in the host's memory.

Work on a stream happens when the stream is synchronised and not before, so that what reads too early reads old values.
"""

import ctypes
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Work = Callable[[], object]


Status = IntEnum(  # with CUDA's own names
    "Status",
    {
        "cudaSuccess": 0,
        "cudaErrorInvalidValue": 1,
        "cudaErrorMemoryAllocation": 2,
        "cudaErrorStreamCaptureInvalidated": 901,
    },
)


@dataclass(frozen=True)
class Stream:
    """`cudaStream_t`: an object whose address TensorRT wants, which `int` is not to be asked for."""

    address: int
    gpu: int


def get_cuda_native_handle(stream: Stream) -> int:
    """As in `cuda.bindings.utils`."""
    return stream.address


class SimulatedCuda:
    """`cuda.bindings.runtime`: every function answers a tuple of its status and its results."""

    def __init__(self, devices: int = 1, memory: int = 1 << 30, captures: bool = True) -> None:
        self.cudaStreamNonBlocking = 1
        self.cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice="up", cudaMemcpyDeviceToHost="down")
        self.cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal="thread")
        self.devices, self.memory, self.captures = devices, memory, captures
        self.device: dict[int, Any] = {}
        self.pinned: dict[int, Any] = {}
        self.streams: dict[int, list[Work]] = {}
        self.captured: list[Work] | None = None
        self.graphs: dict[int, list[Work]] = {}
        self.set_in: list[tuple[str, int]] = []
        """The name of the thread and the device of every `cudaSetDevice`."""
        self.launches = 0
        self.enqueued = 0
        self._next = 1
        self._current = threading.local()

    def cudaGetDeviceCount(self) -> tuple[Status, int]:
        return Status.cudaSuccess, self.devices

    def cudaGetDevice(self) -> tuple[Status, int]:
        return Status.cudaSuccess, self.gpu

    @property
    def gpu(self) -> int:
        """The current one of this thread: the first, until it is set."""
        return getattr(self._current, "gpu", 0)

    def cudaSetDevice(self, device: int) -> tuple[Status]:
        if device >= self.devices:
            return (Status.cudaErrorInvalidValue,)
        self._current.gpu = device
        self.set_in.append((threading.current_thread().name, device))
        return (Status.cudaSuccess,)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Status, Any]:
        return Status.cudaSuccess, SimpleNamespace(name=b"Simulated GPU", major=8, minor=7)

    def cudaGetLastError(self) -> tuple[Status]:
        return (Status.cudaSuccess,)

    def cudaMalloc(self, size: int) -> tuple[Status, int | None]:
        return self._allocate(self.device, size)

    def cudaMallocHost(self, size: int) -> tuple[Status, int | None]:
        return self._allocate(self.pinned, size)

    def _allocate(self, kind: dict[int, Any], size: int) -> tuple[Status, int | None]:
        held = sum(len(block) for block in [*self.device.values(), *self.pinned.values()])
        if held + size > self.memory:
            return Status.cudaErrorMemoryAllocation, None
        block = (ctypes.c_uint8 * size)()
        kind[ctypes.addressof(block)] = block
        return Status.cudaSuccess, ctypes.addressof(block)

    def cudaFree(self, address: int) -> tuple[Status]:
        del self.device[address]
        return (Status.cudaSuccess,)

    def cudaFreeHost(self, address: int) -> tuple[Status]:
        del self.pinned[address]
        return (Status.cudaSuccess,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Status, Stream]:
        assert flags == self.cudaStreamNonBlocking
        self._next += 1
        self.streams[self._next] = []
        return Status.cudaSuccess, Stream(self._next, self.gpu)

    def cudaStreamDestroy(self, stream: Stream) -> tuple[Status]:
        del self.streams[stream.address]
        return (Status.cudaSuccess,)

    def queue(self, stream: int, work: Work) -> None:
        """Do `work` later, or record it."""
        (self.streams[stream] if self.captured is None else self.captured).append(work)

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: str, stream: Stream) -> tuple[Status]:
        homes = (self.device, self.pinned) if kind == "up" else (self.pinned, self.device)
        assert to in homes[0]
        assert source in homes[1]
        assert stream.gpu == self.gpu
        self.queue(stream.address, lambda: ctypes.memmove(to, source, size))
        return (Status.cudaSuccess,)

    def cudaStreamSynchronize(self, stream: Stream) -> tuple[Status]:
        while self.streams[stream.address]:
            self.streams[stream.address].pop(0)()
        return (Status.cudaSuccess,)

    def cudaStreamBeginCapture(self, stream: Stream, mode: str) -> tuple[Status]:
        assert not self.streams[stream.address]
        self.captured = []
        return (Status.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: Stream) -> tuple[Status, int | None]:
        recorded, self.captured = self.captured, None
        if not self.captures or recorded is None:
            return Status.cudaErrorStreamCaptureInvalidated, None
        self._next += 1
        self.graphs[self._next] = recorded
        return Status.cudaSuccess, self._next

    def cudaGraphInstantiate(self, graph: int, flags: int) -> tuple[Status, int]:
        self._next += 1
        self.graphs[self._next] = self.graphs[graph]
        return Status.cudaSuccess, self._next

    def cudaGraphDestroy(self, graph: int) -> tuple[Status]:
        del self.graphs[graph]
        return (Status.cudaSuccess,)

    def cudaGraphExecDestroy(self, executable: int) -> tuple[Status]:
        return self.cudaGraphDestroy(executable)

    def cudaGraphLaunch(self, executable: int, stream: Stream) -> tuple[Status]:
        assert stream.gpu == self.gpu
        self.launches += 1
        self.streams[stream.address] += self.graphs[executable]
        return (Status.cudaSuccess,)

    def array(self, address: int, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
        """What lies at an address on the GPU."""
        return np.frombuffer(self.device[address], dtype)[: int(np.prod(shape))].reshape(shape)


Compute = Callable[..., NDArray[np.float32]]


class SimulatedTensorRt:
    """`tensorrt`: its runtime, whose engines compute what they are given in numpy."""

    __version__ = "11.4.0"
    TensorIOMode = SimpleNamespace(INPUT="in", OUTPUT="out")
    LayerInformationFormat = SimpleNamespace(JSON="json")

    class IProfiler:
        """The base of profilers."""

    class ILogger:
        """The base of logs."""

        ERROR, INTERNAL_ERROR = "error", "internal error"

    def __init__(
        self,
        cuda: SimulatedCuda,
        compute: Compute,
        inputs: Mapping[str, tuple[int, ...]],
        max_batch: int = 1,
        outputs: tuple[str, ...] = ("depth",),
    ) -> None:
        self.Runtime = lambda log: SimpleNamespace(deserialize_cuda_engine=lambda data: self._deserialise(log, data))
        self.nptype = lambda dtype: dtype
        self.cuda, self.compute, self.inputs, self.max_batch = cuda, compute, inputs, max_batch
        self.outputs = outputs
        """Each but the first is a tenth of the one before it."""

    def _deserialise(self, log: Any, data: bytes) -> "SimulatedEngine | None":
        if data != b"engine":
            log.log("error", "the engine was built\nfor another device")
            return None
        return SimulatedEngine(self, log)


class SimulatedEngine:
    """A deserialised engine: its shapes have -1 where the batch is dynamic."""

    def __init__(self, trt: SimulatedTensorRt, log: Any) -> None:
        self._trt, self._log = trt, log
        self.num_io_tensors = len(trt.inputs) + len(trt.outputs)

    def create_execution_context(self) -> "SimulatedContext":
        return SimulatedContext(self._trt, self._log)

    def get_tensor_name(self, index: int) -> str:
        return [*self._trt.outputs, *self._trt.inputs][index]

    def get_tensor_mode(self, name: str) -> str:
        return "out" if name in self._trt.outputs else "in"

    def get_tensor_dtype(self, name: str) -> type:
        return np.float32 if name in self._trt.outputs else np.uint8

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._trt.inputs["frame"][:-1] if name in self._trt.outputs else self._trt.inputs[name]

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        frame = self._trt.inputs[name][1:]
        return [(1, *frame), (self._trt.max_batch, *frame), (self._trt.max_batch, *frame)]

    def create_engine_inspector(self) -> "SimulatedInspector":
        return SimulatedInspector()


class SimulatedContext:
    """An execution context: its shapes are those that were set."""

    def __init__(self, trt: SimulatedTensorRt, log: Any) -> None:
        self._trt, self._log = trt, log
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self.gpu = trt.cuda.gpu
        """That of the thread which made it: TensorRT keeps it, and runs on no other."""
        self.fails = False
        self.profiler: Any = None
        self._profiled = 0

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = tuple(shape)
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.shapes["frame"][:-1] if name in self._trt.outputs else self.shapes[name]

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        if self.fails:
            self._log.log("error", "out of\nluck")
            return False
        assert self._trt.cuda.gpu == self.gpu
        self._trt.cuda.enqueued += 1
        if self.profiler:  # in 3, 1, 2, 1, 2 … ms, of which the first is a start
            self._profiled += 1
            self.profiler.report_layer_time("conv + relu", 3.0 if self._profiled == 1 else 1.0 + self._profiled % 2)
        shapes = dict(self.shapes)
        self._trt.cuda.queue(stream, lambda: self._run(shapes))
        return True

    def _run(self, shapes: dict[str, tuple[int, ...]]) -> None:
        array = self._trt.cuda.array
        given = {name: array(self._addresses[name], shape, np.uint8) for name, shape in shapes.items()}
        answer = self._trt.compute(**given)
        for place, name in enumerate(self._trt.outputs):
            array(self._addresses[name], shapes["frame"][:-1], np.float32)[:] = answer / np.float32(10**place)


class SimulatedInspector:
    """Tells the shapes of the context that it was given."""

    execution_context: SimulatedContext | None = None

    def get_engine_information(self, form: str) -> str:
        shapes = self.execution_context.shapes if self.execution_context else {}
        layer = {
            "Name": "conv + relu",
            "LayerType": "CaskConvolution",
            "Weights": {"Type": "Int8"},
            "Metadata": "[ONNX Layer: conv]\x1e[ONNX Layer: relu]",
        }
        return json.dumps({"Layers": [layer], "shapes": str(shapes)})
