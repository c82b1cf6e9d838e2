"""Which nodes of an ONNX graph do the arithmetic, and which need fp32."""

from collections.abc import Callable, Collection, Iterable, Sequence

import onnx_ir as ir

from clipdepth.engines.operations import module_name

ARITHMETIC = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Where nearly all of a network's multiply-adds are."""
GLUE = ("Add", "AveragePool", "Clip", "Concat", "MaxPool", "Relu", "Resize")
"""What joins layers: int8 has it too where all that it takes is in int8."""
_SUMS = ("LayerNormalization", "ReduceL2", "ReduceMean", "ReduceSum", "Softmax", "Pow", "Sqrt", "Exp", "Log")


def nodes_of(graph: ir.Graph, *operators: str) -> list[ir.Node]:
    """The nodes of those operators, in the graph's order."""
    return [node for node in graph if node.op_type in operators]


def after(nodes: Iterable[ir.Node], stop: Collection[ir.Node] = ()) -> set[ir.Node]:
    """The nodes that depend on any of `nodes`, those included, not reaching through or to any of `stop`."""
    return _flood(nodes, ir.Node.successors, stop)


def before(nodes: Iterable[ir.Node], stop: Collection[ir.Node] = ()) -> set[ir.Node]:
    """The nodes that any of `nodes` depends on, likewise."""
    return _flood(nodes, ir.Node.predecessors, stop)


def _flood(
    nodes: Iterable[ir.Node], step: Callable[[ir.Node], Sequence[ir.Node]], stop: Collection[ir.Node]
) -> set[ir.Node]:
    reached: set[ir.Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in reached and node not in stop:
            reached.add(node)
            waiting.extend(step(node))
    return reached


def layer_name(node: ir.Node) -> str:
    """A layer of arithmetic by its weight, as PyTorch names it; other nodes by their own name."""
    weight = node.inputs[1] if node.op_type in ARITHMETIC else None
    return module_name(weight.name or "" if weight else "") or node.name or ""


def sensitive(graph: ir.Graph) -> set[ir.Node]:
    """The nodes that stay in fp32 in every precision.

    The picture's normalisation; all that sums up or takes powers (softmax, means, norms); the cosine similarity, from
    the norm to the softmax over it; and the depth: bins, expectation, resize and clamp, up to the next layer of
    arithmetic. CLIP's encoders are known to suffer where these are rounded to half. All that serves confidence and
    novelty alone, but for confidence's convolution of the features that the bins take too: exponents, and a small
    product of means.
    """
    layers, softmax = set(nodes_of(graph, *ARITHMETIC)), nodes_of(graph, "Softmax")
    image = set(graph) - after(layers)
    depth = set(graph) - before(layers)
    cosine = after(nodes_of(graph, "ReduceL2")) & before(softmax)
    expectation = after(softmax, stop=layers)
    return image | _confidence_alone(graph) | depth | cosine | expectation | set(nodes_of(graph, *_SUMS))


def _confidence_alone(graph: ir.Graph) -> set[ir.Node]:
    """The nodes that the output `depth`, the first one, does not depend on, without convolutions."""
    node = graph.outputs[0].producer()
    if node is None or len(graph.outputs) == 1:
        return set()
    return set(graph) - before([node]) - set(nodes_of(graph, "Conv"))
