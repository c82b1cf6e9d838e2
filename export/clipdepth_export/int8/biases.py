"""The biases of linear layers in int32, which ONNX Runtime's kernels add."""

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from clipdepth_export.constants import constant, register

_LARGEST = 2**31 - 1


def round_linear_biases(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with int32 biases after its int8 products by a weight: in steps of input times weight.

    torch writes a linear layer as MatMul and Add. ONNX Runtime makes one Gemm of the two, in int8 only
    if the bias is int32; with a float one it restores everything and multiplies in fp32.
    """
    copy = ir.from_proto(model)
    for node in list(copy.graph):
        if node.op_type == "MatMul":
            _round_bias(copy.graph, node)
    return ir.to_proto(copy)


def _round_bias(graph: ir.Graph, product: ir.Node) -> None:
    steps = [_step(value) for value in product.inputs]
    added = product.outputs[0].consumers()
    if any(step is None for step in steps) or [node.op_type for node in added] != ["Add"]:
        return
    place = 1 - added[0].inputs.index(product.outputs[0])
    bias = constant(added[0].inputs[place])
    step = np.asarray(steps[0] * steps[1], np.float32)  # type: ignore[operator]
    if bias is None or bias.ndim != 1 or step.shape not in ((), bias.shape):
        return
    levels = np.rint(bias.astype(np.float64) / step)
    if np.abs(levels).max() > _LARGEST:
        return
    held = {"bias": levels.astype(np.int32), "bias_step": step}
    values = [register(graph, f"{product.name}_{name}", array) for name, array in held.items()]
    restored = ir.node("DequantizeLinear", values, {"axis": 0}, name=f"{product.name}_bias_restored")
    restored.outputs[0].type, restored.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape(bias.shape)
    added[0].prepend(restored)
    added[0].replace_input_with(place, restored.outputs[0])


def _step(value: ir.Value | None) -> NDArray[np.float32] | None:
    """The step of what comes through a DequantizeLinear; None for anything else."""
    node = value.producer() if value else None
    return constant(node.inputs[1]) if node and node.op_type == "DequantizeLinear" else None
