"""What OpenVINO runs, read from the graph that it executes."""

from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from clipdepth.engines.operations import Operation

_ARITHMETIC = frozenset(
    {
        "Convolution",
        "Deconvolution",
        "FullyConnected",
        "Gemm",
        "GroupConvolution",
        "MatMul",
        "ScaledDotProductAttention",
    }
)
_TYPES = {"i8": "int8", "u8": "int8", "f32": "fp32", "f16": "fp16", "bf16": "bf16"}


def executed_operations(compiled: openvino.CompiledModel) -> list[Operation]:
    """The operations of a compiled model, also of one that came from the cache; none where its device does not tell."""
    try:
        nodes = compiled.get_runtime_model().get_ordered_ops()
    except RuntimeError:  # an NPU compiles into one piece
        return []
    return [_operation(node) for node in nodes]


def profile_compiled(
    compiled: openvino.CompiledModel, inputs: Mapping[str, NDArray[np.uint8]], runs: int
) -> list[Operation]:
    """The same with the times of a model compiled with PERF_COUNT: `inputs` run so many times, and once before."""
    request = compiled.create_infer_request()
    times: dict[str, list[float]] = {}
    for _ in range(runs + 1):
        request.infer(dict(inputs))
        for node in request.get_profiling_info():
            times.setdefault(node.node_name, []).append(1000 * node.real_time.total_seconds())
    return [
        replace(operation, milliseconds=median(times[operation.names[0]][1:]) if operation.names[0] in times else None)
        for operation in executed_operations(compiled)
    ]


def _operation(node: Any) -> Operation:
    told = {key: str(value.astype(str)) for key, value in node.get_rt_info().items()}
    name, kind = node.get_friendly_name(), told.get("layerType", "")
    others = tuple(part for part in told.get("originalLayersNames", "").split(",") if part and part != name)
    return Operation(kind, (name, *others), _precision(told) if kind in _ARITHMETIC else None)


def _precision(told: Mapping[str, str]) -> str | None:
    """What its kernel computes in, 'I8' of 'brgconv_avx512_I8'; else what it reads."""
    kernel = told.get("primitiveType", "").rpartition("_")[2].lower()
    read = told.get("runtimePrecision", "").lower()
    return _TYPES.get(kernel) or _TYPES.get(read)
