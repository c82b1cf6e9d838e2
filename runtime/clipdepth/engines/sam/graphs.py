"""One of Segment Anything's graphs on ONNX Runtime, on the CPU."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from clipdepth.engines.onnxruntime_session import session_options
from clipdepth.engines.sam.generator import GraphCall
from clipdepth.errors import EngineError

_PROVIDER = "CPUExecutionProvider"


def load(graph: Path, threads: int) -> GraphCall:
    """Load an ONNX file; raises EngineError where ONNX Runtime refuses it, and where it cannot be run later."""
    try:
        session = onnxruntime.InferenceSession(graph, session_options(threads), providers=[_PROVIDER])
    except Exception as error:  # its exceptions share no base class
        raise EngineError(f"ONNX Runtime cannot load {graph}: {error}") from error
    names = [output.name for output in session.get_outputs()]

    def call(inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        try:
            return dict(zip(names, session.run(names, dict(inputs)), strict=True))
        except Exception as error:  # as above
            shapes = ", ".join(f"{name} {value.shape}" for name, value in inputs.items())
            raise EngineError(f"ONNX Runtime cannot run {graph} with {shapes}: {error}") from error

    return call
