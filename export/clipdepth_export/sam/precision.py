"""Segment Anything's graphs in half precision, but for what half precision cannot hold."""

import onnx
import onnx_ir as ir

from clipdepth_export.half import convert
from clipdepth_export.topology import before, nodes_of

_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum")
_SUMS = ("LayerNormalization", "Softmax", "ReduceMean", "Pow", "Sqrt")


def half_sam(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a graph of any size that computes in half but for `sensitive_sam` nodes.

    Inputs and outputs stay as they are.
    """
    copy = ir.from_proto(model)
    convert(copy, sensitive_sam(copy.graph))
    return ir.to_proto(copy)


def sensitive_sam(graph: ir.Graph) -> set[ir.Node]:
    """The nodes that stay in fp32.

    The picture's normalisation; the points' sines, whose places need more than half precision's 11 bits; norms with
    the sums they are made of; and what is added to attention, the relative positions, up to its softmax.
    """
    layers = set(nodes_of(graph, *_LAYERS))
    image = before(nodes_of(graph, "Conv")[:1]) - layers
    places = before(nodes_of(graph, "Sin", "Cos"))
    attention = before(nodes_of(graph, "Softmax"), stop=layers)
    return image | places | attention | set(nodes_of(graph, *_SUMS)) | _spreads(graph)


def _spreads(graph: ir.Graph) -> set[ir.Node]:
    """Of norms made of single operators, the difference from the mean and the division by the deviation."""
    differences = {maker for power in nodes_of(graph, "Pow") for maker in power.predecessors()}
    roots = set(nodes_of(graph, "Sqrt"))
    return differences | {node for node in nodes_of(graph, "Div") if roots & set(node.predecessors())}
