"""FP16 by types that stand in the graph: half tensors where nothing suffers, fp32 in the rest.

ONNX Runtime's converter rounds to half between two nodes that both stay in fp32, so a sensitive chain gains nothing by
it. Here a tensor is cast only where its maker and its user compute in different types.
"""

from collections.abc import Collection, Mapping

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir import DataType
from onnx_ir.passes.common import RemoveUnusedNodesPass, ShapeInferencePass

from clipdepth_export.topology import sensitive

LARGEST = 65504.0
"""The largest finite half."""
_MARGIN = 4.0
_FLOATS = (DataType.FLOAT, DataType.FLOAT16)
_ALWAYS_FP32 = {"Resize": (1, 2)}
"""Inputs that an operator takes in fp32 only: regions and scales."""


def half(model: onnx.ModelProto, largest: Mapping[str, float] | None = None) -> onnx.ModelProto:
    """A copy of an fp32 graph that computes in half, but for `sensitive` nodes; inputs and outputs stay as they are.

    `largest` are the largest magnitudes of tensors on real frames: a node that makes or takes one within a factor of 4
    of half's limit stays in fp32 as well.
    """
    copy = ir.from_proto(model)
    convert(copy, fp32_nodes(copy.graph, largest))
    return ir.to_proto(copy)


def fp32_nodes(graph: ir.Graph, largest: Mapping[str, float] | None = None) -> set[ir.Node]:
    """The nodes of an fp32 graph that `half` leaves in fp32."""
    return sensitive(graph) | _outsized(graph, largest or {})


def convert(model: ir.Model, keep: Collection[ir.Node]) -> None:
    """Let an fp32 graph compute in half but for the nodes in `keep`, in place."""
    ShapeInferencePass(strict_mode=False)(model)
    conversion = _Conversion()
    for node in list(model.graph):
        conversion.convert(node, DataType.FLOAT if node in keep else DataType.FLOAT16)
    RemoveUnusedNodesPass()(model)


def _outsized(graph: ir.Graph, largest: Mapping[str, float]) -> set[ir.Node]:
    outsized = {name for name, value in largest.items() if value > LARGEST / _MARGIN}
    return {
        node
        for node in graph
        if any(value is not None and value.name in outsized for value in [*node.inputs, *node.outputs])
    }


class _Conversion:
    """One pass over the nodes, in which every tensor that is needed in another type is cast once."""

    def __init__(self) -> None:
        self._cast: dict[tuple[ir.Value, DataType], ir.Value] = {}

    def convert(self, node: ir.Node, wanted: DataType) -> None:
        for place, value in enumerate(node.inputs):
            if value is not None and value.dtype in _FLOATS:
                always = place in _ALWAYS_FP32.get(node.op_type, ())
                node.replace_input_with(place, self._as(value, DataType.FLOAT if always else wanted, node))
        if _casts_to(node, DataType.FLOAT):
            node.attributes["to"] = ir.AttrInt64("to", wanted)
        for value in node.outputs:
            if value.dtype in _FLOATS:
                value.type = ir.TensorType(wanted)
                if value.is_graph_output() and wanted != DataType.FLOAT:
                    self._restore(value, node)

    def _as(self, value: ir.Value, wanted: DataType, node: ir.Node) -> ir.Value:
        """A value in the type that `node` wants it in."""
        if value.dtype == wanted:
            return value
        if (value, wanted) not in self._cast:
            name = f"{value.name}_{'half' if wanted == DataType.FLOAT16 else 'float'}"
            if value.const_value is None:
                cast = _cast(value, wanted, name)
                node.prepend(cast)
                self._cast[value, wanted] = cast.outputs[0]
            else:
                assert node.graph
                held = np.clip(value.const_value.numpy(), -LARGEST, LARGEST).astype(wanted.numpy())
                self._cast[value, wanted] = ir.val(name, const_value=ir.tensor(held, name=name))
                node.graph.register_initializer(self._cast[value, wanted])
        return self._cast[value, wanted]

    def _restore(self, value: ir.Value, node: ir.Node) -> None:
        """Give an output of the graph back in fp32 under its name."""
        assert node.graph
        assert value.name
        name, value.name = value.name, f"{value.name}_half"
        cast = _cast(value, DataType.FLOAT, name)
        node.append(cast)
        outputs = node.graph.outputs
        outputs[outputs.index(value)] = self._cast[value, DataType.FLOAT] = cast.outputs[0]


def _cast(value: ir.Value, to: DataType, name: str) -> ir.Node:
    return ir.node("Cast", [value], {"to": to}, outputs=[ir.val(name, to, value.shape)], name=f"cast_{name}")


def _casts_to(node: ir.Node, kind: DataType) -> bool:
    return node.op_type == "Cast" and node.attributes["to"].as_int() == kind


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of what `half` gave that rounds every half tensor and computes in fp32, as a GPU does within a kernel.

    ONNX Runtime on a CPU computes a half graph in fp32 without rounding in between, and so never overflows. What comes
    out of DequantizeLinear is not rounded: the kernel that takes it multiplies the integers.
    """
    copy = ir.from_proto(model)
    for node in list(copy.graph):
        if _casts_to(node, DataType.FLOAT16):
            node.attributes["to"] = ir.AttrInt64("to", DataType.FLOAT)
        for value in node.outputs:
            if value.dtype == DataType.FLOAT16 and node.op_type == "DequantizeLinear":
                value.type = ir.TensorType(DataType.FLOAT)
            elif value.dtype == DataType.FLOAT16:
                _round(value, node)
    for weight in copy.graph.initializers.values():
        if weight.dtype == DataType.FLOAT16 and weight.const_value is not None:
            weight.const_value = ir.tensor(weight.const_value.numpy().astype(np.float32), name=weight.name)
            weight.type = ir.TensorType(DataType.FLOAT)
    return ir.to_proto(copy)


def _round(value: ir.Value, node: ir.Node) -> None:
    """Put a rounding to half between a value, which becomes fp32, and those that take it."""
    assert value.name
    name, value.name, value.type = value.name, f"{value.name}_exact", ir.TensorType(DataType.FLOAT)
    down = _cast(value, DataType.FLOAT16, f"{name}_rounded")
    up = _cast(down.outputs[0], DataType.FLOAT, name)
    up.name = f"restore_{name}"
    value.replace_all_uses_with(up.outputs[0])
    down.replace_input_with(0, value)
    node.append([down, up])
