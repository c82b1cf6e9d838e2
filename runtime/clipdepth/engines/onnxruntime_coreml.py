"""ONNX Runtime on Apple's chips, by Core ML: it divides the work among GPU, Neural Engine and CPU."""

from functools import partial
from pathlib import Path

import onnxruntime

from clipdepth.bundle.cache import bundle_cache, make_private
from clipdepth.bundle.folder import Bundle
from clipdepth.engines.assignment import count_elsewhere, listed
from clipdepth.engines.onnxruntime_session import CPU, OnnxRuntime, Provider, open_session, run_session, session_options
from clipdepth.errors import MissingDeviceError

COREML = "CoreMLExecutionProvider"
HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""What has to run there. Its provider takes no uint8, no Einsum and nothing of int8: such nodes stay on the CPU."""


def load(bundle: Bundle, precision: str, threads: int) -> OnnxRuntime:
    """Load the bundle's graph of `precision`.

    Raises EngineError where the provider is not there, or leaves convolutions and matrix products to the CPU.
    """
    if COREML not in onnxruntime.get_available_providers():
        raise MissingDeviceError(
            f"the installed onnxruntime {onnxruntime.__version__} has no {COREML}; on a Mac run "
            "pip install --force-reinstall 'clipdepth[coreml]'"
        )
    graph = bundle.graph(precision)
    providers = [coreml_provider(_compiled(bundle, graph)), (CPU, {})]

    def reopen(profile: str = "") -> onnxruntime.InferenceSession:
        return open_session(graph, session_options(threads, profile), COREML, providers, HEAVY)

    session = reopen()
    engine = OnnxRuntime("coreml", session, partial(run_session, session), reopen)
    beside = count_elsewhere(session, graph, COREML)
    if beside:
        engine.device += f", with {listed(beside)} on the CPU"
    return engine


def coreml_provider(compiled: Path | None) -> Provider:
    """Core ML's provider and its options; it keeps what it compiles in the folder `compiled`."""
    options = {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL", "RequireStaticInputShapes": "1"}
    return COREML, options if compiled is None else {**options, "ModelCacheDirectory": str(compiled)}


def _compiled(bundle: Bundle, graph: Path) -> Path | None:
    """A folder for this graph and this library alone, since Core ML tells graphs apart by their paths; None where
    nothing can be kept.
    """
    try:
        folder = bundle_cache(bundle.manifest) / f"coreml-{onnxruntime.__version__}" / graph.stem
        make_private(folder)
    except OSError:
        return None
    return folder
