"""The frame's bytes as the int8 picture that they are: nothing is converted, subtracted or rounded on the device."""

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import RemoveUnusedNodesPass
from onnxruntime.quantization.calibrate import TensorData, TensorsData

from clipdepth_export.constants import constant_or_empty, register

_PLANES = (0, 3, 1, 2)
_NEAR = 1.0
"""How far a colour's mean may be from the zero point, in grey levels, where a convolution has a border."""


def take_bytes(graph: ir.Graph, ranges: TensorsData) -> TensorsData:
    """Let the first convolutions' input, a frame less its colours' means, be rounded to the frame's bytes.

    In place: a whole number is subtracted instead of the means, and the difference goes into the biases. With the range
    that it then has, uint8's step is 1 and its zero point that number. Exact, but for a convolution's border, which
    stands for the zero point instead of the mean: half a grey level for a mean of 127.5. A graph whose means are
    further from a whole number, or whose picture goes anywhere else, is left as it is. Returns the ranges with this.
    """
    shift = _shift(graph)
    layers = shift.outputs[0].consumers() if shift else ()
    if not shift or not all(node.op_type == "Conv" and constant_or_empty(node.inputs[1]).size for node in layers):
        return ranges
    mean = constant_or_empty(shift.inputs[1])
    zero = float(np.floor(mean.mean()))
    offset = (mean - zero).reshape(-1).astype(np.float64)
    if np.abs(offset).max() > _NEAR and any(_has_border(node) for node in layers):
        return ranges
    for node in layers:
        _add_to_bias(graph, node, -np.einsum("oihw,i->o", constant_or_empty(node.inputs[1]), offset))
    shift.replace_input_with(1, register(graph, f"{shift.name}_whole_mean", np.full_like(mean, zero)))
    known = {name: ranges[name] for name in ranges}
    known[shift.outputs[0].name or ""] = TensorData(lowest=np.float32(-zero), highest=np.float32(255 - zero))
    return TensorsData(ranges.calibration_method, known)


def use_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The quantised graph with the frame's bytes as the int8 picture, instead of what leads from the one to the other.

    They are restored and rounded again, to themselves: OpenVINO has the first convolution in int8 only if it sees the
    rounding.
    """
    copy = ir.from_proto(model)
    shift = _shift(copy.graph)
    rounding = shift.outputs[0].consumers() if shift else ()
    if not shift or len(rounding) != 1 or rounding[0].op_type != "QuantizeLinear":
        return model
    step, zero = (constant_or_empty(value) for value in rounding[0].inputs[1:3])
    if zero.dtype != np.uint8 or step != 1 or not (constant_or_empty(shift.inputs[1]) == zero).all():
        return model
    moved = ir.node("Transpose", [copy.graph.inputs[0]], {"perm": _PLANES}, name="planes")
    restored = ir.node("DequantizeLinear", [moved.outputs[0], *rounding[0].inputs[1:]], name="bytes")
    rounding[0].prepend([moved, restored])
    rounding[0].replace_input_with(0, restored.outputs[0])
    RemoveUnusedNodesPass()(copy)
    return ir.to_proto(copy)


def _shift(graph: ir.Graph) -> ir.Node | None:
    """The subtraction of the means from the frame's planes, as `fold_picture` leaves it; None where there is none."""
    (frame, *others) = graph.inputs
    for operator in ("Cast", "Transpose", "Sub"):
        users = frame.consumers()
        if others or [user.op_type for user in users] != [operator]:
            return None
        (frame,) = users[0].outputs
    shift = frame.producer()
    return shift if shift and constant_or_empty(shift.inputs[1]).size else None


def _has_border(node: ir.Node) -> bool:
    return any(node.attributes.get_ints("pads", [])) or node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET"


def _add_to_bias(graph: ir.Graph, node: ir.Node, more: NDArray[np.float64]) -> None:
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    moved = (constant_or_empty(bias) + more if bias else more).astype(np.float32)
    node.resize_inputs(3)
    node.replace_input_with(2, register(graph, f"{node.name}_whole_bias", moved))
