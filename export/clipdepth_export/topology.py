"""Which nodes of an ONNX graph feed which, which do the arithmetic, and which need fp32."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import onnx
from onnx import helper

ARITHMETIC = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Where nearly all of a network's multiply-adds are."""
_SUMS = ("LayerNormalization", "ReduceL2", "ReduceMean", "ReduceSum", "Softmax", "Pow", "Sqrt", "Exp", "Log")


class Topology:
    """The nodes of a graph, in their order, and how they hang together; nodes are told apart by their names."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes: dict[str, onnx.NodeProto] = {node.name: node for node in model.graph.node}
        self._maker = {tensor: node.name for node in model.graph.node for tensor in node.output}
        self.weights = {tensor.name for tensor in model.graph.initializer}
        self._users: dict[str, list[str]] = {name: [] for name in self.nodes}
        for node in model.graph.node:
            for name in self.makers(node):
                self._users[name].append(node.name)

    def makers(self, node: onnx.NodeProto) -> list[str]:
        """The nodes whose outputs `node` takes."""
        return [self._maker[tensor] for tensor in node.input if tensor in self._maker]

    @property
    def arithmetic(self) -> list[str]:
        """The nodes that do the arithmetic."""
        return [name for name, node in self.nodes.items() if node.op_type in ARITHMETIC]

    def of(self, *operators: str) -> list[str]:
        """The nodes of those operators."""
        return [name for name, node in self.nodes.items() if node.op_type in operators]

    def after(self, names: Iterable[str], stop: Collection[str] = ()) -> set[str]:
        """The nodes that depend on any of `names`, those included, not reaching through or to any of `stop`."""
        return self._flood(names, self._users.__getitem__, stop)

    def before(self, names: Iterable[str], stop: Collection[str] = ()) -> set[str]:
        """The nodes that any of `names` depends on, likewise."""
        return self._flood(names, lambda name: self.makers(self.nodes[name]), stop)

    @staticmethod
    def _flood(names: Iterable[str], step: Callable[[str], list[str]], stop: Collection[str]) -> set[str]:
        reached: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in reached and name not in stop:
                reached.add(name)
                waiting.extend(step(name))
        return reached


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """What a node states, by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def users_of(graph: onnx.GraphProto, tensor: str) -> list[onnx.NodeProto]:
    """The nodes that take a tensor."""
    return [node for node in graph.node if tensor in node.input]


def only_user(graph: onnx.GraphProto, tensor: str, operator: str) -> onnx.NodeProto | None:
    """The node that takes a tensor, if it is of that operator and the tensor goes nowhere else."""
    users = users_of(graph, tensor)
    alone = [node.op_type for node in users] == [operator] and tensor not in {value.name for value in graph.output}
    return users[0] if alone else None


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Give a graph other nodes, in their order, in place; those that lead nowhere and unused weights are dropped."""
    needed = {value.name for value in graph.output}
    kept = onnx.GraphProto()  # holds copies, which outlive the graph's own
    for node in reversed(list(nodes)):
        if needed & set(node.output):
            needed.update(node.input)
            kept.node.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept.node))
    drop_unused_weights(graph)


def drop_unused_weights(graph: onnx.GraphProto) -> None:
    """Remove the initializers that no node takes, in place."""
    used = {tensor for node in graph.node for tensor in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def layer_name(node: onnx.NodeProto) -> str:
    """A layer of arithmetic by its weight, as PyTorch names it; other nodes by their own name."""
    weight = node.input[1] if node.op_type in ARITHMETIC else ""
    # Of another precision, it is named 'conv1.weight_half' or 'conv1.weight_DequantizeLinear_Output'.
    module, found, _ = weight.partition(".weight")
    return module if found else node.name


def sensitive(model: onnx.ModelProto) -> set[str]:
    """The nodes that stay in fp32 in every precision.

    The picture's normalisation; all that sums up or takes powers (softmax, means, norms); the cosine similarity, from
    the norm to the softmax over it; and the depth: bins, expectation, resize and clamp, up to the next layer of
    arithmetic. CLIP's encoders are known to suffer where these are rounded to half.
    """
    graph = Topology(model)
    layers = set(graph.arithmetic)
    image = set(graph.nodes) - graph.after(layers)
    depth = set(graph.nodes) - graph.before(layers)
    softmax = graph.of("Softmax")
    cosine = graph.after(graph.of("ReduceL2")) & graph.before(softmax)
    expectation = graph.after(softmax, layers)
    return image | depth | cosine | expectation | set(graph.of(*_SUMS))
