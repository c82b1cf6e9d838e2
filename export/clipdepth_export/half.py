"""FP16 by types that stand in the graph: half tensors where nothing suffers, fp32 in the rest.

ONNX Runtime's converter rounds to half between two nodes that both stay in fp32, so a sensitive chain gains nothing by
it. Here a tensor is cast only where its maker and its user compute in different types.
"""

from collections.abc import Collection, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from clipdepth_export.topology import drop_unused_weights, sensitive

LARGEST = 65504.0
"""The largest finite half."""
_MARGIN = 4.0
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
_ALWAYS_FP32 = {"Resize": (1, 2)}
"""Inputs that an operator takes in fp32 only: regions and scales."""


def half(model: onnx.ModelProto, largest: Mapping[str, float] | None = None) -> onnx.ModelProto:
    """A copy of an fp32 graph that computes in half, but for `sensitive` nodes; inputs and outputs stay as they are.

    `largest` are the largest magnitudes of tensors on real frames: a node that makes or takes one within a factor of 4
    of half's limit stays in fp32 as well.
    """
    keep = sensitive(model) | _outsized(model, largest or {})
    return convert(model, keep)


def convert(model: onnx.ModelProto, keep: Collection[str]) -> onnx.ModelProto:
    """A copy of an fp32 graph that computes in half but for the nodes named in `keep`."""
    return _Conversion(model, keep).run()


def _outsized(model: onnx.ModelProto, largest: Mapping[str, float]) -> set[str]:
    return {
        node.name
        for node in model.graph.node
        if any(largest.get(tensor, 0.0) > LARGEST / _MARGIN for tensor in [*node.input, *node.output])
    }


class _Conversion:
    """One pass over the nodes, in which every tensor that is needed in another type is cast once."""

    def __init__(self, model: onnx.ModelProto, keep: Collection[str]) -> None:
        self._model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        self._keep = keep
        self._nodes: list[onnx.NodeProto] = []
        self._types = _types(self._model)
        self._weights = {tensor.name: tensor for tensor in self._model.graph.initializer}
        self._cast: dict[tuple[str, int], str] = {}
        self._outputs = {value.name for value in self._model.graph.output}

    def run(self) -> onnx.ModelProto:
        graph = self._model.graph
        for node in list(graph.node):
            self._convert(node)
        del graph.node[:], graph.value_info[:]
        graph.node.extend(self._nodes)
        drop_unused_weights(graph)
        return onnx.shape_inference.infer_shapes(self._model, strict_mode=True, data_prop=True)

    def _convert(self, node: onnx.NodeProto) -> None:
        wanted = TensorProto.FLOAT if node.name in self._keep else TensorProto.FLOAT16
        for place, tensor in enumerate(node.input):
            if self._types.get(tensor) in _FLOATS:
                always = place in _ALWAYS_FP32.get(node.op_type, ())
                node.input[place] = self._as(tensor, TensorProto.FLOAT if always else wanted)
        self._nodes.append(node)
        if node.op_type == "Cast" and _target(node).i == TensorProto.FLOAT:
            _target(node).i = wanted
        for place, tensor in enumerate(node.output):
            if self._types.get(tensor) in _FLOATS:
                self._types[tensor] = wanted
                if tensor in self._outputs and wanted != TensorProto.FLOAT:
                    self._restore(node, place)

    def _as(self, tensor: str, wanted: int) -> str:
        if self._types[tensor] == wanted:
            return tensor
        if (tensor, wanted) not in self._cast:
            name = f"{tensor}_{'half' if wanted == TensorProto.FLOAT16 else 'float'}"
            self._cast[tensor, wanted] = name
            if tensor in self._weights:
                self._model.graph.initializer.append(_as_half(self._weights[tensor], name))
            else:
                self._nodes.append(helper.make_node("Cast", [tensor], [name], name=f"cast_{name}", to=wanted))
        return self._cast[tensor, wanted]

    def _restore(self, node: onnx.NodeProto, place: int) -> None:
        """Give an output of the graph back in fp32 under its name."""
        output = node.output[place]
        node.output[place] = inner = f"{output}_half"
        self._types[inner], self._types[output] = TensorProto.FLOAT16, TensorProto.FLOAT
        self._cast[output, TensorProto.FLOAT16] = inner
        self._nodes.append(helper.make_node("Cast", [inner], [output], name=f"cast_{output}", to=TensorProto.FLOAT))


def _types(model: onnx.ModelProto) -> dict[str, int]:
    graph = model.graph
    values = [*graph.input, *graph.value_info, *graph.output]
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return {**types, **{tensor.name: tensor.data_type for tensor in graph.initializer}}


def _target(node: onnx.NodeProto) -> onnx.AttributeProto:
    to: onnx.AttributeProto = next(attribute for attribute in node.attribute if attribute.name == "to")
    return to


def _as_half(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    values = numpy_helper.to_array(tensor)
    return numpy_helper.from_array(np.clip(values, -LARGEST, LARGEST).astype(np.float16), name)


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of what `half` gave that rounds every half tensor and computes in fp32, as a GPU does within a kernel.

    ONNX Runtime on a CPU computes a half graph in fp32 without rounding in between, and so never overflows.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    types = _types(copy)
    nodes = []
    for node in copy.graph.node:
        if node.op_type == "Cast" and _target(node).i == TensorProto.FLOAT16:
            _target(node).i = TensorProto.FLOAT
        halves = [place for place, tensor in enumerate(node.output) if types.get(tensor) == TensorProto.FLOAT16]
        nodes.append(node)
        for place in halves:
            tensor = node.output[place]
            node.output[place] = f"{tensor}_exact"
            nodes.append(helper.make_node("Cast", [f"{tensor}_exact"], [f"{tensor}_rounded"], to=TensorProto.FLOAT16))
            nodes.append(helper.make_node("Cast", [f"{tensor}_rounded"], [tensor], to=TensorProto.FLOAT))
    del copy.graph.node[:], copy.graph.value_info[:]
    copy.graph.node.extend(nodes)
    for tensor in copy.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    return copy
