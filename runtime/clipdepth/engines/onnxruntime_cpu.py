"""ONNX Runtime on the CPU."""

from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from clipdepth.bundle.folder import Bundle
from clipdepth.engines.onnxruntime_session import CPU, OnnxRuntime, open_session, session_options


def load(bundle: Bundle, precision: str, threads: int) -> OnnxRuntime:
    """Load the bundle's graph of `precision`; raises as `load_graph`."""
    return load_graph(bundle.graph(precision), threads)


def load_graph(graph: Path, threads: int) -> OnnxRuntime:
    """Load an ONNX file; raises EngineError where ONNX Runtime refuses it or takes another device."""

    def reopen(profile: str = "") -> onnxruntime.InferenceSession:
        return open_session(graph, session_options(threads, profile), CPU, [(CPU, {})])

    session = reopen()
    return OnnxRuntime("onnxruntime", session, partial(_run, session), reopen)


def _run(session: onnxruntime.InferenceSession, inputs: dict[str, NDArray[np.uint8]]) -> NDArray[np.float32]:
    depth: NDArray[np.float32] = session.run(["depth"], inputs)[0]
    return depth
