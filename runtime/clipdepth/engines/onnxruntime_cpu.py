"""ONNX Runtime on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import onnxruntime

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.onnx_file import OnnxFile
from clipdepth.engines.hardware import overflows_in_int8
from clipdepth.engines.onnxruntime_session import CPU, OnnxRuntime, open_session, run_session, session_options

_EXACT_INT8 = ("session.x64quantprecision", "1")
"""Kernels of unsigned by unsigned numbers, which do not overflow and take twice as long."""


def load(bundle: Bundle, precision: str, threads: int) -> OnnxRuntime:
    """Load the bundle's graph of `precision`; raises as `load_graph`."""
    return load_graph(bundle.graph(precision), threads, in_half=precision == "fp16")


def load_graph(graph: Path, threads: int, in_half: bool = False) -> OnnxRuntime:
    """Load an ONNX file, one of half tensors with `in_half`.

    Raises EngineError where ONNX Runtime refuses it or takes another device.
    """

    def reopen(profile: str = "") -> onnxruntime.InferenceSession:
        options = session_options(threads, profile)
        if overflows_in_int8():
            options.add_session_config_entry(*_EXACT_INT8)
        with _restored(graph) if in_half else nullcontext(graph) as path:
            return open_session(path, options, CPU, [(CPU, {})])

    session = reopen()
    return OnnxRuntime("onnxruntime", session, partial(run_session, session), reopen)


@contextmanager
def _restored(graph: Path) -> Iterator[Path]:
    """A graph of half tensors as ONNX Runtime restores it to fp32, as a file.

    It has no kernels in half here and puts casts around each, after it has looked for what it can fuse: in one go the
    graph takes a fifth longer than in fp32. Opened once more, it is optimised as an fp32 graph is.
    """
    with TemporaryDirectory(prefix="clipdepth-") as folder:
        path = Path(folder) / graph.name
        for name in OnnxFile(graph).files:  # what it writes names the files of weights as the graph does
            copyfile(graph.parent / name, path.with_name(name))
        options = session_options(1)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        open_session(graph, options, CPU, [(CPU, {})])
        yield path
