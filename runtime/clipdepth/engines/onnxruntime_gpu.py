"""ONNX Runtime on an NVIDIA GPU: CUDA, and TensorRT for RTX, which is a plugin."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import cache
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import Bundle
from clipdepth.engines.assignment import MisplacedError
from clipdepth.engines.nvidia import require_device, require_gpu
from clipdepth.engines.onnxruntime_session import CPU, OnnxRuntime, Provider, open_session, session_options
from clipdepth.errors import EngineError, MissingDeviceError, MissingExtraError

CUDA, RTX = "CUDAExecutionProvider", "NvTensorRTRTXExecutionProvider"
_FATAL_ONLY = 4


class BoundCall:
    """Runs a session whose inputs lie in `memory` ('cuda' or 'cpu') of `device`, made once for each size of batch.

    Answers land in host memory of their own at each call: ONNX Runtime writes into the arrays that the caller gets.
    """

    def __init__(self, session: onnxruntime.InferenceSession, memory: str, device: int = 0) -> None:
        self._session, self._memory, self._device = session, memory, device
        self._binding = session.io_binding()
        self._outputs = {output.name: output.shape[1:] for output in session.get_outputs()}
        self._inputs: dict[tuple[object, ...], onnxruntime.OrtValue] = {}

    def __call__(self, inputs: dict[str, NDArray[np.uint8]]) -> Answer:
        for name, array in inputs.items():
            value = self._input(name, array.shape)
            value.update_inplace(np.ascontiguousarray(array))
            self._binding.bind_ortvalue_input(name, value)  # each time: this is what copies 'cpu' memory to a GPU
        count = len(inputs["frame"])
        answers = {name: np.empty((count, *shape), np.float32) for name, shape in self._outputs.items()}
        for name, memory in answers.items():
            # Over the array's own memory. `numpy()` of an output on the GPU, or in memory used again, would copy it.
            self._binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(memory))
        self._session.run_with_iobinding(self._binding)
        return Answer(**answers)

    def _input(self, name: str, shape: Sequence[int]) -> onnxruntime.OrtValue:
        key = (name, *shape)
        if key not in self._inputs:
            self._inputs[key] = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                shape, np.uint8, self._memory, self._device
            )
        return self._inputs[key]


def load_cuda(bundle: Bundle, precision: str, threads: int, device: int | None = None) -> OnnxRuntime:
    """Load the bundle's graph of `precision` on CUDA device `device` (0); raises EngineError where it is not there."""
    if CUDA not in onnxruntime.get_available_providers():
        raise MissingDeviceError(
            f"the installed onnxruntime {onnxruntime.__version__} has no {CUDA}; "
            "run pip uninstall onnxruntime, then pip install 'clipdepth[gpu]'"
        )
    require_gpu(device)
    complaints = _load_libraries()
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)  # what goes wrong is an error of ours
    providers = [cuda_provider(device), (CPU, {})]

    def reopen(profile: str = "") -> onnxruntime.InferenceSession:
        return open_session(bundle.graph(precision), session_options(threads, profile), CUDA, providers)

    try:
        session = reopen()
    except MisplacedError:
        raise
    except EngineError as error:
        raise EngineError(f"{error}{complaints}; pip install 'clipdepth[gpu]' brings CUDA and cuDNN") from error
    return OnnxRuntime("onnxruntime-cuda", session, BoundCall(session, "cuda", device or 0), reopen)


def cuda_provider(device: int | None) -> Provider:
    """CUDA's provider and its options."""
    # TF32 is on by default, and is not the fp32 that the graph says.
    return CUDA, {"use_tf32": 0, "device_id": device or 0}


def load_rtx(bundle: Bundle, precision: str, threads: int, device: int | None = None) -> OnnxRuntime:
    """Load it on TensorRT for RTX, on the GPU of number `device` (0) among those that it takes.

    Raises MissingExtraError without the plugin, EngineError where it does not load or finds no such GPU.
    """
    require_gpu(None)
    chosen = _rtx_device(device)

    def reopen(profile: str = "") -> onnxruntime.InferenceSession:
        options = session_options(threads, profile)
        # Else it makes int32 biases of half ones, in half: depth would be silently wrong.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        options.add_provider_for_devices([chosen], {})
        return open_session(bundle.graph(precision, "tensorrt"), options, RTX, None)

    session = reopen()
    return OnnxRuntime("onnxruntime-rtx", session, BoundCall(session, "cpu"), reopen)


def _load_libraries() -> str:
    """Load CUDA and cuDNN from the packages that pip installed; return the first complaint, for an error's middle."""
    if not hasattr(onnxruntime, "preload_dlls"):  # before 1.21
        return ""
    printed = io.StringIO()
    with redirect_stdout(printed):
        onnxruntime.preload_dlls(directory="")
    first = printed.getvalue().partition("\n")[0].strip()
    return f" ({first})" if first else ""


@cache
def _register(library: str) -> None:
    """Once a process: ONNX Runtime refuses the second time, also where the first one found no device."""
    onnxruntime.register_execution_provider_library(RTX, library)


def _rtx_device(device: int | None) -> Any:
    try:
        import onnxruntime_ep_nv_tensorrt_rtx as plugin
    except ModuleNotFoundError:
        raise MissingExtraError("engine 'onnxruntime-rtx'", "onnxruntime-ep-nv-tensorrt-rtx", "rtx") from None
    _load_libraries()
    try:
        _register(plugin.get_library_path())
    except Exception as error:  # its exceptions share no base class
        raise EngineError(f"TensorRT for RTX does not load: {error}; install 'clipdepth[rtx]' again") from error
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == RTX]
    if not devices:
        raise MissingDeviceError("TensorRT for RTX finds no GPU of its own; it needs an RTX GPU, Ampere or newer")
    return devices[require_device(device, len(devices), "GPU that TensorRT for RTX takes")]
