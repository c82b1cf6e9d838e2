"""ONNX Runtime on the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from clipdepth.bundle import Bundle
from clipdepth.errors import EngineError

PROVIDER = "CPUExecutionProvider"


class OnnxRuntimeCpu:
    """A graph in an ONNX Runtime session."""

    name = "onnxruntime"
    device = "CPU"

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session: onnxruntime.InferenceSession | None = session

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        if self._session is None:
            raise EngineError("the engine was closed; load it again")
        feeds = {"frame": frames} if segmentation is None else {"frame": frames, "segmentation": segmentation}
        try:
            depth: NDArray[np.float32] = self._session.run(["depth"], feeds)[0]
        except Exception as error:  # its exceptions share no base class
            raise EngineError(f"ONNX Runtime cannot run frames of {frames.shape}: {error}") from error
        return depth

    def close(self) -> None:
        """See `Engine.close`."""
        self._session = None


def load(bundle: Bundle, precision: str, threads: int) -> OnnxRuntimeCpu:
    """Load the bundle's graph of `precision`; raises as `load_graph`."""
    return load_graph(bundle.graph(precision), threads)


def load_graph(graph: Path, threads: int) -> OnnxRuntimeCpu:
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
    frames = [(name, "tensor(uint8)") for name in ("frame", "segmentation")]
    if inputs not in (frames[:1], frames) or outputs != [("depth", "tensor(float)")]:
        raise EngineError(f"{graph} does not turn a uint8 'frame' into a float32 'depth'; export it again")
    return OnnxRuntimeCpu(session)
