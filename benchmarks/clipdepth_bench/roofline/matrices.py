"""A matrix product as an ONNX graph, in each precision as our own graphs have it."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
FLAVOURS = {"fp32": ("fp32",), "fp16": ("fp16",), "int8": ("int8", "uint8")}
"""A precision's graphs; on some CPUs products of unsigned activations and signed weights are faster."""


def product_graph(flavour: str, size: int) -> onnx.ModelProto:
    """`left` (size, size) float times a constant, to `product` likewise: float32, or float16 for 'fp16'."""
    weight = np.random.default_rng(0).uniform(-1, 1, (size, size)).astype(np.float32)
    if flavour in ("fp32", "fp16"):
        kind = TensorProto.FLOAT if flavour == "fp32" else TensorProto.FLOAT16
        constants = {"right": weight.astype(helper.tensor_dtype_to_np_dtype(kind))}
        return _graph([helper.make_node("MatMul", ["left", "right"], ["product"])], constants, kind, size)
    return _quantized(weight, np.dtype(flavour), size)


def _quantized(weight: NDArray[np.float32], activation: np.dtype[Any], size: int) -> onnx.ModelProto:
    """Q/DQ around the activations, and weights per channel, as `clipdepth_export.int8` puts them."""
    constants: dict[str, NDArray[Any]] = {
        "scale": np.array(1 / 127, np.float32),
        "zero": np.array(128 if activation == np.uint8 else 0, activation),
        "weights": np.round(127 * weight).astype(np.int8),
        "scales": np.full(size, 1 / 127, np.float32),
        "zeros": np.zeros(size, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["left", "scale", "zero"], ["quantized"]),
        helper.make_node("DequantizeLinear", ["quantized", "scale", "zero"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["weights", "scales", "zeros"], ["right"], axis=1),
        helper.make_node("MatMul", ["rounded", "right"], ["product"]),
    ]
    return _graph(nodes, constants, TensorProto.FLOAT, size)


def _graph(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[Any]], kind: int, size: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("left", kind, [size, size])],
        [helper.make_tensor_value_info("product", kind, [size, size])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
