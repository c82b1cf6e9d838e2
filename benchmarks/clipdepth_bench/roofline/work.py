"""The operations and bytes of a graph, counted from its ONNX file."""

from collections.abc import Collection
from math import prod

import onnx
from onnx import TensorProto, helper

from clipdepth_bench.roofline.record import Work
from clipdepth_export.topology import ARITHMETIC

CONVOLUTIONS = ("Conv", "ConvTranspose")
_NAMES = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16", TensorProto.INT8: "int8", TensorProto.UINT8: "int8"}


def count_work(model: onnx.ModelProto) -> Work:
    """Of the whole graph, a frame: its arithmetic, its weights, and the frame and depth."""
    tensors = _Tensors(model)
    counted = _count(tensors, ARITHMETIC)
    weights = sum(tensors.bytes(name) for name in tensors.initializers)
    ports = [*model.graph.input, *model.graph.output]
    return Work(
        counted.operations, weights, counted.activation_bytes, sum(tensors.bytes(value.name) for value in ports)
    )


def count_convolutions(model: onnx.ModelProto) -> Work:
    """Of the convolutions alone."""
    return _count(_Tensors(model), CONVOLUTIONS)


def _count(tensors: "_Tensors", operators: Collection[str]) -> Work:
    nodes = [node for node in tensors.model.graph.node if node.op_type in operators]
    operations: dict[str, int] = {}
    for node in nodes:
        precision = tensors.precision(node)
        operations[precision] = operations.get(precision, 0) + 2 * multiply_adds(node, tensors)
    taken = [[tensors.source(name) for name in node.input if name] for node in nodes]
    weights = {name for names in taken for name in names if name in tensors.initializers}
    read = [name for names in taken for name in names if name not in tensors.initializers]
    written = [name for node in nodes for name in node.output]
    return Work(operations, sum(map(tensors.bytes, weights)), sum(map(tensors.bytes, [*read, *written])), 0)


def multiply_adds(node: onnx.NodeProto, tensors: "_Tensors") -> int:
    """Of a node of arithmetic, as ONNX defines its operator; a bias is none."""
    first, second, made = (tensors.shape(name) for name in (node.input[0], node.input[1], node.output[0]))
    if node.op_type == "Conv":  # the weight is (out, in / groups, height, width)
        return prod(made) * prod(second[1:])
    if node.op_type == "ConvTranspose":  # the weight is (in, out / groups, height, width)
        return prod(first) * prod(second[1:])
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return prod(made) * first[0 if transposed else -1]


class _Tensors:
    """The shapes and types of a graph's tensors; an open dimension, which is the batch, is 1."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        graph = self.model.graph
        self.initializers = {tensor.name for tensor in graph.initializer}
        self._shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        self._types = {tensor.name: tensor.data_type for tensor in graph.initializer}
        for value in [*graph.value_info, *graph.input, *graph.output]:
            kind = value.type.tensor_type
            self._shapes.setdefault(value.name, tuple(length.dim_value or 1 for length in kind.shape.dim))
            self._types.setdefault(value.name, kind.elem_type)
        self._dequantized = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
        for node in graph.node:  # in their order: what is only laid out anew is stored as before
            if node.op_type == "Transpose" and node.input[0] in self._dequantized:
                self._dequantized[node.output[0]] = self._dequantized[node.input[0]]

    def shape(self, name: str) -> tuple[int, ...]:
        """Its lengths."""
        return self._shapes[name]

    def source(self, name: str) -> str:
        """What is stored: the integers behind a DequantizeLinear, or the tensor itself."""
        return str(self._dequantized.get(name, name))

    def bytes(self, name: str) -> int:
        """The size of the tensor of that name."""
        kind = helper.tensor_dtype_to_np_dtype(self._types[name])
        size: int = prod(self._shapes[name]) * kind.itemsize
        return size

    def precision(self, node: onnx.NodeProto) -> str:
        """What a node of arithmetic computes in: that of the wider of its two operands."""
        found = {_NAMES[self._types[self.source(name)]] for name in node.input[:2]}
        return next(name for name in ("fp32", "fp16", "int8") if name in found)
