"""The layers of a graph that int8 may have."""

from collections.abc import Sequence

import onnx_ir as ir

from clipdepth_export.topology import ARITHMETIC, nodes_of, sensitive


def quantizable(graph: ir.Graph, operators: Sequence[str] = ARITHMETIC) -> list[str]:
    """The layers of those operators with a weight that may be rounded; products of two activations are none of them.

    So does a product with a vector, such as that of bins' probabilities with their depth, which has no channels.
    """
    keep = sensitive(graph)
    layers = [node for node in nodes_of(graph, *operators) if node not in keep]
    return [node.name or "" for node in layers if _is_kernel(node.inputs[1])]


def _is_kernel(weight: ir.Value | None) -> bool:
    return weight is not None and weight.is_initializer() and weight.shape is not None and len(weight.shape) > 1
