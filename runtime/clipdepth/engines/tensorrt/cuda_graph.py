"""CUDA graphs: what a stream does, recorded once and then launched as a whole."""

from collections.abc import Callable
from typing import Any

from clipdepth.engines.tensorrt.gpu import call
from clipdepth.engines.tensorrt.library import import_cuda
from clipdepth.errors import EngineError


class CudaGraph:
    """Work that was recorded on a stream."""

    def __init__(self, executable: Any, stream: Any) -> None:
        self._cuda = import_cuda()
        self._executable, self._stream = executable, stream

    def launch(self) -> None:
        """Queue the work on the stream."""
        call(self._cuda.cudaGraphLaunch, self._executable, self._stream)

    def close(self) -> None:
        """Free the recording."""
        call(self._cuda.cudaGraphExecDestroy, self._executable)


def record(work: Callable[[], None], stream: Any) -> CudaGraph | None:
    """Record what `work` queues on `stream`, without doing it; None where CUDA cannot record or launch it."""
    cuda = import_cuda()
    try:
        graph = _capture(work, stream)
        try:
            return CudaGraph(call(cuda.cudaGraphInstantiate, graph, 0), stream)
        finally:
            call(cuda.cudaGraphDestroy, graph)
    except EngineError:
        cuda.cudaGetLastError()  # so that the refusal is not taken for the next call's
        return None


def _capture(work: Callable[[], None], stream: Any) -> Any:
    cuda = import_cuda()
    call(cuda.cudaStreamBeginCapture, stream, cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
    try:
        work()
    except EngineError:
        cuda.cudaStreamEndCapture(stream)
        raise
    return call(cuda.cudaStreamEndCapture, stream)
