"""TensorRT, on an NVIDIA GPU: runs engines that `clipdepth build` made on this device."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import Bundle
from clipdepth.engines.operations import RUNS, Operation
from clipdepth.engines.tensorrt.cuda_graph import CudaGraph, record
from clipdepth.engines.tensorrt.gpu import Gpu, call, find_gpu
from clipdepth.engines.tensorrt.library import import_cuda, import_tensorrt, native_handle, tensorrt_log
from clipdepth.engines.tensorrt.memory import Buffer
from clipdepth.engines.tensorrt.precisions import engine_operations
from clipdepth.engines.tensorrt.profile import attach_profiler, with_times
from clipdepth.engines.tensorrt.record import engine_key
from clipdepth.engines.tensorrt.store import EngineStore
from clipdepth.errors import EngineError


class TensorRt:
    """An engine on the GPU: one stream, and memory for its largest batch, allocated once.

    A batch that is as large as the one before becomes one CUDA graph of the copies and the inference, unless CUDA
    cannot record the engine; where the size changes with every batch, all run call by call. Any thread may infer, one
    at a time: it runs on the GPU that the engine was loaded for.
    """

    name = "tensorrt"

    def __init__(self, engine: bytes, gpu: Gpu) -> None:
        """Load a serialised engine; raises EngineError where TensorRT or CUDA refuses it."""
        self._trt, self._cuda = import_tensorrt(), import_cuda()
        self.device = f"{gpu.name}, TensorRT {self._trt.__version__}"
        self._gpu = gpu
        gpu.use()
        tensorrt_log().errors.clear()
        self._runtime = self._trt.Runtime(tensorrt_log())
        self._engine = _loaded(self._runtime.deserialize_cuda_engine(engine), "load this engine")
        self._context = _loaded(self._engine.create_execution_context(), "make room to run this engine")
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        kinds = {name: self._engine.get_tensor_mode(name) for name in names}
        self._inputs = [name for name in names if kinds[name] == self._trt.TensorIOMode.INPUT]
        self._outputs = [name for name in names if kinds[name] == self._trt.TensorIOMode.OUTPUT]
        self._recording: CudaGraph | None = None
        self._recordable = True
        self._resources = ExitStack()
        with ExitStack() as stack:
            # Non-blocking: any other stream waits for what PyTorch, say, does on CUDA's default stream.
            self._stream = call(self._cuda.cudaStreamCreateWithFlags, self._cuda.cudaStreamNonBlocking)
            stack.callback(call, self._cuda.cudaStreamDestroy, self._stream)
            for name in self._inputs:
                self._context.set_input_shape(name, self._largest_shape(name))
            self._buffers = {name: self._allocate(name, stack) for name in names}
            self._resources = stack.pop_all()
        self._batch = self._largest_shape("frame")[0]

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """See `Engine.infer`."""
        self._require_open()
        self._gpu.use()
        given = {"frame": frames} if segmentation is None else {"frame": frames, "segmentation": segmentation}
        self._check(given)
        settled = self._set_batch(len(frames))
        for name, array in given.items():
            self._buffers[name].host[: self._batch] = array
        if self._recording is not None:
            self._recording.launch()
            call(self._cuda.cudaStreamSynchronize, self._stream)
        else:
            self._queue()
            call(self._cuda.cudaStreamSynchronize, self._stream)
            if settled:
                self._record()
        return Answer(**{name: self._buffers[name].host[: self._batch].copy() for name in self._outputs})

    def operations(self) -> list[Operation]:
        """See `Engine.operations`."""
        self._require_open()
        return engine_operations(self.information())

    def profile(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> list[Operation]:
        """See `Engine.profile`; call by call, since a CUDA graph has no layers."""
        self.infer(frames, segmentation)  # checks the frames, and sets their number
        context = _loaded(self._engine.create_execution_context(), "make room to profile this engine")
        for name in self._inputs:
            context.set_input_shape(name, (self._batch, *self._buffers[name].host.shape[1:]))
        for name, buffer in self._buffers.items():
            context.set_tensor_address(name, buffer.device)
        times = attach_profiler(context)
        for _ in range(RUNS + 1):
            self._queue_on(context)
            call(self._cuda.cudaStreamSynchronize, self._stream)
        return with_times(self.operations(), times)

    def information(self) -> str:
        """What TensorRT's engine inspector says of the engine, as JSON."""
        inspector = self._engine.create_engine_inspector()
        inspector.execution_context = self._context  # without its shapes, a dynamic engine's types are not told
        text: str = inspector.get_engine_information(self._trt.LayerInformationFormat.JSON)
        return text

    def close(self) -> None:
        """See `Engine.close`."""
        self._forget_recording()
        self._context = self._engine = self._runtime = None
        self._resources.close()

    def _require_open(self) -> None:
        if self._context is None:
            raise EngineError("the engine was closed; load it again")

    def _largest_shape(self, name: str) -> tuple[int, ...]:
        shape = tuple(self._engine.get_tensor_shape(name))
        if -1 in shape:
            shape = tuple(self._engine.get_tensor_profile_shape(name, 0)[2])
        return shape

    def _allocate(self, name: str, stack: ExitStack) -> Buffer:
        dtype = self._trt.nptype(self._engine.get_tensor_dtype(name))
        buffer = Buffer(tuple(self._context.get_tensor_shape(name)), dtype)
        stack.callback(buffer.close)
        self._context.set_tensor_address(name, buffer.device)
        return buffer

    def _check(self, given: Mapping[str, NDArray[np.uint8]]) -> None:
        buffers = {name: self._buffers[name].host for name in self._inputs}
        largest = len(buffers["frame"])
        dynamic = self._engine.get_tensor_shape("frame")[0] == -1
        batch = len(given["frame"])
        fits = 1 <= batch <= largest if dynamic else batch == largest
        wanted = {name: (buffer.dtype, (batch, *buffer.shape[1:])) for name, buffer in buffers.items()}
        if not fits or {name: (array.dtype, array.shape) for name, array in given.items()} != wanted:
            found = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in given.items())
            taken = ", ".join(f"{name} {buffer.dtype} {buffer.shape}" for name, buffer in buffers.items())
            raise EngineError(f"this TensorRT engine takes {taken}{' or fewer' if dynamic else ''}, not {found}")

    def _set_batch(self, batch: int) -> bool:
        """Return whether it is as large as the one before."""
        if batch == self._batch:
            return True
        self._forget_recording()
        for name in self._inputs:
            self._context.set_input_shape(name, (batch, *self._buffers[name].host.shape[1:]))
        self._batch = batch
        return False

    def _queue(self) -> None:
        self._queue_on(self._context)

    def _queue_on(self, context: Any) -> None:
        for name in self._inputs:
            self._buffers[name].upload(self._batch, self._stream)
        tensorrt_log().errors.clear()
        if not context.execute_async_v3(native_handle(self._stream)):
            raise EngineError(f"TensorRT cannot run this engine: {_reasons()}")
        for name in self._outputs:
            self._buffers[name].download(self._batch, self._stream)

    def _record(self) -> None:
        if self._recordable:
            self._recording = record(self._queue, self._stream)
            self._recordable = self._recording is not None

    def _forget_recording(self) -> None:
        if self._recording is not None:
            self._recording.close()
            self._recording = None


def load(bundle: Bundle, precision: str, threads: int, device: int | None = None) -> TensorRt:
    """Load the engine that `clipdepth build` made of the bundle's graph of `precision`; `threads` is not used.

    It runs on the GPU of number `device` (the current one). Raises EngineError where there is no such GPU, or no engine
    for it and this TensorRT.
    """
    version = import_tensorrt().__version__
    gpu = find_gpu(device)
    return TensorRt(EngineStore(bundle).require(engine_key(bundle, precision, gpu, version)), gpu)


def _loaded(made: Any, deed: str) -> Any:
    if made is None:
        raise EngineError(f"TensorRT cannot {deed}: {_reasons()}; run 'clipdepth build' on this device")
    return made


def _reasons() -> str:
    return " ".join("; ".join(tensorrt_log().errors).split()) or "it gives no reason"
