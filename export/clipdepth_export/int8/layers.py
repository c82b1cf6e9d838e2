"""The layers of a graph that int8 may have."""

import onnx_ir as ir

from clipdepth_export.topology import ARITHMETIC, nodes_of, sensitive


def quantizable(graph: ir.Graph) -> list[str]:
    """The layers of arithmetic with a weight that may be rounded; products of two activations stay in fp32.

    So does a product with a vector, such as that of bins' probabilities with their depth, which has no channels.
    """
    keep = sensitive(graph)
    layers = [node for node in nodes_of(graph, *ARITHMETIC) if node not in keep]
    return [node.name or "" for node in layers if _is_kernel(node.inputs[1])]


def _is_kernel(weight: ir.Value | None) -> bool:
    return weight is not None and weight.is_initializer() and weight.shape is not None and len(weight.shape) > 1
