"""OpenVINO on the CPU, on Intel's GPUs and on Intel's NPU."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.cache import bundle_cache, make_private
from clipdepth.bundle.folder import Bundle
from clipdepth.engines.contract import ANSWERS, check_contract, name_inputs
from clipdepth.engines.nvidia import require_device
from clipdepth.engines.openvino_profile import executed_operations, profile_compiled
from clipdepth.engines.operations import RUNS, Operation
from clipdepth.errors import EngineError, MissingDeviceError

_REMEDIES = {
    "CPU": "install OpenVINO again",
    "GPU": "install Intel's compute runtime (intel-opencl-icd) and put this user into the group 'render'",
    "NPU": "install Intel's NPU driver and put this user into the group 'render'",
}

Compile = Callable[[dict[str, Any]], openvino.CompiledModel]
"""Compiles a model with those properties besides its own."""

_logger = logging.getLogger(__name__)


class OpenVino:
    """A graph compiled by OpenVINO; `recompile` takes properties and compiles it once more, else the same."""

    def __init__(self, name: str, device: str, compiled: openvino.CompiledModel, recompile: Compile) -> None:
        self.name, self.device = name, device
        self._compiled: openvino.CompiledModel | None = compiled
        self._recompile: Compile | None = recompile
        self._request: openvino.InferRequest | None = compiled.create_infer_request()
        self._answers = ANSWERS[: len(compiled.outputs)]

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """See `Engine.infer`."""
        request, inputs = self._open_request(), name_inputs(frames, segmentation)
        try:
            if any(array.dtype != np.uint8 for array in inputs.values()):  # it would convert them without a word
                raise TypeError("they are not uint8")
            found = request.infer(inputs, share_inputs=True)
        except (RuntimeError, TypeError) as error:
            raise EngineError(f"OpenVINO cannot run frames of {frames.shape}: {error}") from error
        return Answer(*(found[name] for name in self._answers))

    def operations(self) -> list[Operation]:
        """See `Engine.operations`."""
        self._open_request()
        return executed_operations(self._compiled)

    def profile(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> list[Operation]:
        """See `Engine.profile`."""
        self._open_request()
        assert self._recompile
        try:
            compiled = self._recompile({"PERF_COUNT": True})
            return profile_compiled(compiled, name_inputs(frames, segmentation), RUNS)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot profile frames of {frames.shape}: {error}") from error

    def close(self) -> None:
        """See `Engine.close`."""
        self._request = self._compiled = self._recompile = None

    def _open_request(self) -> openvino.InferRequest:
        if self._request is None:
            raise EngineError("the engine was closed; load it again")
        return self._request


def load(bundle: Bundle, precision: str, threads: int, kind: str = "CPU", index: int | None = None) -> OpenVino:
    """Load the bundle's graph of `precision` as `load_graph` does; what it compiles is kept in the user's cache."""
    return load_graph(bundle.graph(precision), threads, kind, index, _cache_of(bundle))


def load_graph(
    graph: Path, threads: int, kind: str = "CPU", index: int | None = None, properties: Mapping[str, str] | None = None
) -> OpenVino:
    """Load an ONNX file on a `kind` of device, 'CPU', 'GPU' or 'NPU'; `threads` counts on the CPU.

    `index` is the number of one of several GPUs (0), `properties` are for compiling. Raises EngineError where OpenVINO
    finds no such device, refuses the graph or runs it elsewhere.
    """
    core = openvino.Core()
    device, full_name = find_device(core, kind, index)

    def compile_graph(more: dict[str, Any]) -> openvino.CompiledModel:
        return core.compile_model(graph, device, {**_config(kind, threads), **more})

    try:
        compiled = compile_graph({**(properties or {})})
        used = compiled.get_property("EXECUTION_DEVICES")
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot load {graph} on {device}: {error}") from error
    if not set(used) <= {device, f"{device}.0"}:
        raise EngineError(f"OpenVINO runs {graph} on {', '.join(used)}, asked for {device}")
    check_contract(graph, [_port(port) for port in compiled.inputs], [_port(port) for port in compiled.outputs])
    name = "openvino" if kind == "CPU" else f"openvino-{kind.lower()}"
    return OpenVino(name, f"{device} ({full_name})", compiled, compile_graph)


load_npu = partial(load, kind="NPU")


def load_gpu(bundle: Bundle, precision: str, threads: int, device: int | None = None) -> OpenVino:
    """Load it on Intel's GPU of number `device` (0); raises as `load`."""
    return load(bundle, precision, threads, "GPU", device)


def find_device(core: openvino.Core, kind: str, index: int | None = None) -> tuple[str, str]:
    """OpenVINO's name of the device of that kind and number (0), and its full name.

    Raises MissingDeviceError where there is none of that kind, EngineError where the number is too large.
    """
    found = core.available_devices
    of_kind = [name for name in found if name.partition(".")[0] == kind]
    if not of_kind:
        there = ", ".join(found) or "none"
        version = openvino.__version__.partition("-")[0]
        raise MissingDeviceError(f"OpenVINO {version} finds no {kind} here (there: {there}); {_REMEDIES[kind]}")
    device = kind if index is None else of_kind[require_device(index, len(of_kind), f"{kind} of OpenVINO")]
    name: str = core.get_property(device, "FULL_DEVICE_NAME")
    return device, name.strip()


def _config(kind: str, threads: int) -> dict[str, Any]:
    config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if kind != "NPU":
        # Else it computes in bf16 or fp16 wherever the device can: precision stands in the graph.
        config["EXECUTION_MODE_HINT"] = "ACCURACY"
    if kind == "CPU":
        config["INFERENCE_NUM_THREADS"] = threads
        # Each process would take the first core: two that infer had one core between them.
        config["ENABLE_CPU_PINNING"] = False
    return config


def _cache_of(bundle: Bundle) -> dict[str, Any]:
    try:
        cache = bundle_cache(bundle.manifest) / "openvino"
        make_private(cache)
    except OSError as error:
        _logger.warning("OpenVINO compiles at every start: %s", error)
        return {}
    return {"CACHE_DIR": str(cache)}


def _port(port: openvino.ConstOutput) -> tuple[str, str]:
    return port.any_name, port.element_type.to_dtype().name
