"""ONNX Runtime on the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from clipdepth.errors import EngineError

PROVIDER = "CPUExecutionProvider"


class OnnxRuntimeCpu:
    """A graph in an ONNX Runtime session."""

    name = "onnxruntime"
    device = "CPU"

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session: onnxruntime.InferenceSession | None = session

    def infer(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        if self._session is None:
            raise EngineError("the engine was closed; load it again")
        try:
            depth: NDArray[np.float32] = self._session.run(["depth"], {"frame": frames})[0]
        except Exception as error:  # its exceptions share no base class
            raise EngineError(f"ONNX Runtime cannot run frames of {frames.shape}: {error}") from error
        return depth

    def close(self) -> None:
        """See `Engine.close`."""
        self._session = None


def load(graph: Path, threads: int) -> OnnxRuntimeCpu:
    """Load an ONNX file; raises EngineError where ONNX Runtime refuses it or takes another device."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=[PROVIDER])
    except Exception as error:  # its exceptions share no base class
        raise EngineError(f"ONNX Runtime cannot load {graph}: {error}") from error
    if session.get_providers() != [PROVIDER]:
        raise EngineError(f"ONNX Runtime runs {graph} on {session.get_providers()}, asked for {PROVIDER}")
    inputs = [(node.name, node.type) for node in session.get_inputs()]
    outputs = [(node.name, node.type) for node in session.get_outputs()]
    if inputs != [("frame", "tensor(uint8)")] or outputs != [("depth", "tensor(float)")]:
        raise EngineError(f"{graph} does not turn a uint8 'frame' into a float32 'depth'; export it again")
    return OnnxRuntimeCpu(session)
