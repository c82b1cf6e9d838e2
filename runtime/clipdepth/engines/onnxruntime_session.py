"""ONNX Runtime's sessions: opened for one execution provider, refused where they or their nodes land on another."""

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.engines.assignment import RECORD, refuse_elsewhere
from clipdepth.engines.contract import check_contract, name_inputs
from clipdepth.engines.onnxruntime_profile import Open, profile_session
from clipdepth.engines.operations import RUNS, Operation
from clipdepth.errors import EngineError

Provider = tuple[str, Mapping[str, Any]]
"""An execution provider's name and options."""
Call = Callable[[dict[str, NDArray[np.uint8]]], Answer]
"""Runs a session with inputs by name."""
CPU = "CPUExecutionProvider"
_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
_SUFFIX = "ExecutionProvider"


class OnnxRuntime:
    """A graph in a session of ONNX Runtime; `reopen` opens another one as this was opened, to be profiled."""

    def __init__(self, name: str, session: onnxruntime.InferenceSession, call: Call, reopen: Open) -> None:
        self.name = name
        self._reopen = reopen
        self.device: str = session.get_providers()[0].removesuffix(_SUFFIX)
        self._call: Call | None = call

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """See `Engine.infer`."""
        call = self._open_call()
        try:
            return call(name_inputs(frames, segmentation))
        except Exception as error:  # its exceptions share no base class
            raise EngineError(f"ONNX Runtime cannot run frames of {frames.shape}: {error}") from error

    def operations(self) -> list[Operation]:
        """See `Engine.operations`."""
        return self._profiled(None, 0)

    def profile(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> list[Operation]:
        """See `Engine.profile`."""
        return self._profiled(name_inputs(frames, segmentation), RUNS)

    def close(self) -> None:
        """See `Engine.close`."""
        self._call = None

    def _open_call(self) -> Call:
        if self._call is None:
            raise EngineError("the engine was closed; load it again")
        return self._call

    def _profiled(self, inputs: dict[str, NDArray[np.uint8]] | None, runs: int) -> list[Operation]:
        self._open_call()
        try:
            return profile_session(self._reopen, inputs, runs)
        except Exception as error:  # its exceptions share no base class
            raise EngineError(f"ONNX Runtime cannot profile this graph: {error}") from error


def run_session(session: onnxruntime.InferenceSession, inputs: dict[str, NDArray[np.uint8]]) -> Answer:
    """A `Call` of a session whose inputs and outputs lie in the computer's own memory."""
    return Answer(*session.run(None, inputs))


def session_options(threads: int, profile: str = "") -> onnxruntime.SessionOptions:
    """Options for `threads` threads that sleep between frames; `profile` is where to write one, if not ''."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # By default they stay awake: a camera of 5 frames/s then costs twice the CPU time, and frames are no faster.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, profile
    return options


def open_session(
    graph: Path,
    options: onnxruntime.SessionOptions,
    wanted: str,
    providers: Sequence[Provider] | None,
    operators: Container[str] | None = None,
) -> onnxruntime.InferenceSession:
    """Open an ONNX file on execution provider `wanted`; `providers` is None where the options hold it.

    Raises EngineError where ONNX Runtime refuses the graph, runs it or some of its arithmetic (or, where they are
    given, some of those `operators`) on another provider, or it is none of ours.
    """
    if wanted != CPU:
        options.add_session_config_entry(*RECORD)
    try:
        # Its Python wrapper would retry on the CPU, while loading and later while running, with a print for a warning.
        session = onnxruntime.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    except Exception as error:  # its exceptions share no base class
        raise EngineError(f"ONNX Runtime cannot load {graph}: {error}") from error
    if session.get_providers()[0] != wanted:
        raise EngineError(f"ONNX Runtime runs {graph} on {session.get_providers()[0]}, asked for {wanted}")
    if wanted != CPU:
        refuse_elsewhere(session, graph, wanted, operators)
    ports = [[(node.name, _TYPES.get(node.type, node.type)) for node in side] for side in _sides(session)]
    check_contract(graph, *ports)
    return session


def _sides(session: onnxruntime.InferenceSession) -> tuple[Sequence[Any], Sequence[Any]]:
    return session.get_inputs(), session.get_outputs()
