"""ONNX Runtime on any GPU of Windows that knows DirectX 12, by DirectML."""

from functools import partial

import onnxruntime

from clipdepth.bundle.folder import Bundle
from clipdepth.engines.onnxruntime_session import CPU, OnnxRuntime, Provider, open_session, run_session, session_options
from clipdepth.errors import MissingDeviceError

DIRECTML = "DmlExecutionProvider"


def load(bundle: Bundle, precision: str, threads: int, device: int | None = None) -> OnnxRuntime:
    """Load the bundle's graph of `precision` on the GPU of number `device` (the fastest, as Windows tells).

    Raises EngineError where the provider is not there, or leaves a part of the arithmetic to the CPU.
    """
    if DIRECTML not in onnxruntime.get_available_providers():
        raise MissingDeviceError(
            f"the installed onnxruntime {onnxruntime.__version__} has no {DIRECTML}; on Windows "
            "run pip uninstall onnxruntime, then pip install 'clipdepth[directml]'"
        )
    providers = [directml_provider(device), (CPU, {})]

    def reopen(profile: str = "") -> onnxruntime.InferenceSession:
        return open_session(bundle.graph(precision), directml_options(threads, profile), DIRECTML, providers)

    session = reopen()
    return OnnxRuntime("directml", session, partial(run_session, session), reopen)


def directml_options(threads: int, profile: str = "") -> onnxruntime.SessionOptions:
    """As `session_options`, without what DirectML cannot do: memory laid out ahead, nodes side by side."""
    options = session_options(threads, profile)
    options.enable_mem_pattern = False
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    return options


def directml_provider(device: int | None) -> Provider:
    """DirectML's provider and its options."""
    return DIRECTML, {"performance_preference": "high_performance"} if device is None else {"device_id": device}
