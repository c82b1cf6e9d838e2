"""What precision the arithmetic has: in a parsed network before a build, and in a built engine after it.

Arithmetic is convolution and matrix multiplication, where the time goes. Both counts exist because a builder that is
asked for less than FP32 and cannot may use FP32 without a word.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from clipdepth.engines.operations import Operation
from clipdepth.engines.precisions import Precisions
from clipdepth.engines.tensorrt.network import ParsedGraph
from clipdepth.errors import EngineError

ARITHMETIC = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY", "EINSUM")
RESHAPING = ("SHUFFLE", "SQUEEZE", "UNSQUEEZE", "IDENTITY")
NAMES = {"FLOAT": "fp32", "HALF": "fp16", "BF16": "bf16", "FP8": "fp8", "INT8": "int8"}


def holds(found: Precisions, precision: str) -> bool:
    """Whether this is what `precision` promises: some of it, and no more than half in FP32."""
    layers, total = found.layers, sum(found.layers.values())
    return not total or (precision in layers and (precision == "fp32" or 2 * layers.get("fp32", 0) <= total))


def check_precisions(found: Precisions, precision: str, what: str) -> None:
    """Raise EngineError where `what`, called `precision`, computes otherwise."""
    if not holds(found, precision):
        raise EngineError(
            f"{what} is not {precision}: its convolutions and matrix products are {found}; export it again"
        )


def network_precisions(parsed: ParsedGraph) -> Precisions:
    """Count by the types in the parsed network, which are binding where it is strongly typed.

    A layer is INT8 where what it multiplies comes through DequantizeLinear: TensorRT fuses the two.
    """
    layers = [parsed.network.get_layer(index) for index in range(parsed.network.num_layers)]
    producers = {layer.get_output(index).name: layer for layer in layers for index in range(layer.num_outputs)}
    return Precisions(Counter(_precision(layer, producers) for layer in layers if layer.type.name in ARITHMETIC))


def _precision(layer: Any, producers: Mapping[str, Any]) -> str:
    inputs = [layer.get_input(index) for index in range(min(2, layer.num_inputs))]
    factors = [tensor for tensor in inputs if tensor is not None]
    if all(_is_dequantised(tensor, producers) for tensor in factors):
        return "int8"
    kind: str = factors[0].dtype.name
    return NAMES.get(kind, kind.lower())


def _is_dequantised(tensor: Any, producers: Mapping[str, Any]) -> bool:
    producer = producers.get(tensor.name)
    while producer is not None and producer.type.name in RESHAPING:
        producer = producers.get(producer.get_input(0).name)
    return producer is not None and producer.type.name == "DEQUANTIZE"


# What a layer's type, parameters and kernel are called where it convolves or multiplies matrices.
_MULTIPLIES = re.compile(r"conv|gemm|matrixmultiply|matmul|fprop|dgrad|fmha|_mha", re.IGNORECASE)
_ONNX_NAME = re.compile(r"\[ONNX Layer: ([^\]]*)\]")
_TYPE_NAMES = (
    ("int8", re.compile(r"int8", re.IGNORECASE)),
    ("fp8", re.compile(r"fp8|e4m3", re.IGNORECASE)),
    ("bf16", re.compile(r"bf16|bfloat16", re.IGNORECASE)),
    ("fp16", re.compile(r"fp16|half", re.IGNORECASE)),
    ("fp32", re.compile(r"fp32|float", re.IGNORECASE)),
)


def engine_precisions(information: str) -> Precisions:
    """Count in what TensorRT's engine inspector says; layers without a readable type are left out."""
    return Precisions(Counter(each.precision for each in engine_operations(information) if each.precision))


def engine_operations(information: str) -> list[Operation]:
    """The layers in what TensorRT's engine inspector says, as JSON, of an engine built with detailed verbosity.

    There are none at all where the engine has only layer names, or its inspector tells of none. The first name of each
    is the layer's own.
    """
    told = json.loads(information or "{}", strict=False)  # not strict: names are joined by raw control characters
    return [_operation(layer) for layer in told.get("Layers", []) if isinstance(layer, dict)]


def _operation(layer: Mapping[str, Any]) -> Operation:
    name, metadata = str(layer.get("Name", "")), str(layer.get("Metadata", ""))
    names = name, *_ONNX_NAME.findall(metadata)
    kind = next((text for field in ("ParameterType", "LayerType") if (text := str(layer.get(field, "")))), "")
    return Operation(kind, names, _read_precision(layer) if _multiplies(layer) else None)


def _multiplies(layer: Mapping[str, Any]) -> bool:
    names = (str(layer.get(field, "")) for field in ("LayerType", "ParameterType", "TacticName"))
    return any(_MULTIPLIES.search(name) for name in names)


def _read_precision(layer: Mapping[str, Any]) -> str | None:
    for text in _type_texts(layer):
        for name, pattern in _TYPE_NAMES:
            if pattern.search(text):
                return name
    return None


def _type_texts(layer: Mapping[str, Any]) -> Iterator[str]:
    """What tells a layer's type, the surest first: its weights', then its first input's."""
    weights = layer.get("Weights")
    if isinstance(weights, dict):
        yield str(weights.get("Type", ""))
    for tensor in layer.get("Inputs", [])[:1]:
        for field in ("DataType", "Datatype", "Format/Datatype", "Format"):  # together in 10, apart in 11
            yield str(tensor.get(field, ""))
