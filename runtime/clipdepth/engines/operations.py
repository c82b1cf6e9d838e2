"""What an engine ran: its operations, and which layers of the graph they stand for."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clipdepth.bundle.onnx_file import Node
from clipdepth.engines.precisions import Precisions

_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""The operators that multiply what they read by a weight, or by each other."""
_LAID_OUT = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""What may stand between a DequantizeLinear and its layer."""
_ADDED = re.compile(r"(/WithoutBiases|/MatMulAddFusion|_token_\d+)+$")
"""What OpenVINO and ONNX Runtime append to the name of a node that they rewrite."""

RUNS = 10
"""Of a profile: how often a frame is run, after once that does not count."""


@dataclass(frozen=True)
class Operation:
    """An operation that an engine ran; it may stand for several of the graph."""

    kind: str
    """As the engine calls it, such as 'QLinearConv'."""
    names: tuple[str, ...]
    """Of the graph's nodes that it stands for, as far as the engine tells."""
    precision: str | None
    """Of a convolution or matrix product: fp32, fp16, bf16, fp8, int8. None for what is neither, or is not told."""
    milliseconds: float | None = None
    """The median over runs; None where it was not timed."""


def count_precisions(operations: Iterable[Operation], nodes: Sequence[Node]) -> Precisions:
    """The precisions of what ran, and the layers of the graph that it quantises and that did not run in int8.

    `nodes` are those of the ONNX file.
    """
    arithmetic = [operation for operation in operations if operation.precision]
    in_int8 = {_plain(name) for each in arithmetic if each.precision == "int8" for name in each.names}
    quantised = quantised_layers(nodes) if arithmetic else {}
    strayed = tuple(layer for name, layer in quantised.items() if name not in in_int8)
    return Precisions(dict(Counter(each.precision for each in arithmetic if each.precision)), strayed)


def quantised_layers(nodes: Sequence[Node]) -> dict[str, str]:
    """The layers whose two factors both come through DequantizeLinear: the node's name to `layer_name`."""
    makers = {output: node for node in nodes for output in node.outputs}
    layers = [node for node in nodes if node.operator in _LAYERS]
    return {
        _node_name(node): layer_name(node, makers)
        for node in layers
        if all(any(made.operator == "DequantizeLinear" for made in _way(name, makers)) for name in node.inputs[:2])
    }


def layer_name(node: Node, makers: Mapping[str, Node]) -> str:
    """A layer by its weight, as PyTorch names the module: 'conv1' of 'conv1.weight_quantized'; else the node's name.

    `makers` are the nodes by their outputs.
    """
    way = [made.inputs[0] for made in _way(node.inputs[1], makers) if made.inputs]
    return next((module for name in (node.inputs[1], *way) if (module := module_name(name))), _node_name(node))


def module_name(weight: str) -> str:
    """What PyTorch calls the module of a weight: 'conv1' of 'conv1.weight_DequantizeLinear_Output'; '' of any other."""
    module, found, _ = weight.partition(".weight")
    return module if found else ""


def _way(name: str, makers: Mapping[str, Node]) -> Iterator[Node]:
    """The nodes that a tensor comes through, back to its DequantizeLinear or to what computes it."""
    while name in makers:
        node = makers[name]
        if node.operator == "DequantizeLinear":
            yield node
        if node.operator not in _LAID_OUT or not node.inputs:
            return
        yield node
        name = node.inputs[0]


def _node_name(node: Node) -> str:
    """As engines call it: by what it makes where it has no name."""
    return node.name or node.outputs[0]


def _plain(name: str) -> str:
    return _ADDED.sub("", name)
