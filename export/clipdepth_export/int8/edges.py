"""Which activations TensorRT wants in int8, and which of them share a scale.

The rules are NVIDIA's, of the documentation on explicit quantisation and of ModelOpt's placement:

- What goes into a layer of arithmetic is quantised; what comes out is not. The next Q is fused into the layer's kernel.
- A residual addition becomes a part of the kernel of the layer before it. The kernel writes int8 only where the
  shortcut is int8 too, so the shortcut is quantised and the layer's own result is not.
- Resizes, average pools and concatenations between int8 layers are quantised. Otherwise they would compute in half, and
  tensors would go to half and back. Inputs and output of a concatenation or a resize have one scale: TensorRT then
  drops the steps from one scale to the other.
- Max pools, transposes and reshapes stay as they are. TensorRT moves Q across them by itself.
"""

from collections.abc import Collection, Iterable, Iterator

import onnx_ir as ir

Edge = tuple[ir.Node, int]
"""A node and the place of one of its inputs."""

JOINED = ("Add", "AveragePool", "Concat", "Resize")
"""The operators without weights whose inputs may be int8."""
_ONE_SCALE = ("Concat", "Resize")
_ACTIVATIONS = ("Clip", "Relu")
_COMMUTING = ("MaxPool", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")


class Int8Edges:
    """The inputs to quantise in a graph of which the nodes in `layers` are int8; no other node in `keep` takes int8."""

    def __init__(self, graph: ir.Graph, layers: Collection[ir.Node], keep: Collection[ir.Node]) -> None:
        self._layers = layers
        self._edges: set[Edge] = set()
        self._scale: dict[ir.Value, ir.Value] = {}
        order = list(graph)
        self._place = {node: place for place, node in enumerate(order)}
        # From the end: whether an addition's result is int8 depends on those that take it.
        for node in reversed(order):
            if node in layers:
                self._edges.add((node, 0))
            elif node.op_type in JOINED and node not in keep and self._is_int8(node.outputs[0]):
                self._join(node)

    def __iter__(self) -> Iterator[Edge]:
        """The edges in the graph's order."""
        return iter(sorted(self._edges, key=lambda edge: (self._place[edge[0]], edge[1])))

    def same_scale(self, value: ir.Value) -> list[ir.Value]:
        """The tensors that have one scale with `value`, itself among them."""
        root = self._root(value)
        return [other for other in {value, root, *self._scale} if self._root(other) is root]

    def _join(self, node: ir.Node) -> None:
        for place in self._places(node):
            value = node.inputs[place]
            assert value is not None
            self._edges.add((node, place))
            if node.op_type in _ONE_SCALE:
                self._scale[self._root(value)] = self._root(node.outputs[0])

    def _places(self, node: ir.Node) -> Iterable[int]:
        """The inputs that a node takes in int8 where its result is int8."""
        match node.op_type:
            case "Add":
                return self._shortcut(node)
            case "Concat":
                return range(len(node.inputs))
            case _:
                return (0,)

    def _root(self, value: ir.Value) -> ir.Value:
        while self._scale.get(value, value) is not value:
            value = self._scale[value]
        return value

    def _is_int8(self, value: ir.Value) -> bool:
        """Whether all that take a tensor take it in int8."""
        uses = value.uses()
        return bool(uses) and not value.is_graph_output() and all(self._takes(use.node, use.idx) for use in uses)

    def _takes(self, node: ir.Node, place: int) -> bool:
        value = node.inputs[place]
        alone = value is not None and len(value.uses()) == 1
        through = node.op_type in _COMMUTING or (node.op_type in _ACTIVATIONS and alone)
        return (node, place) in self._edges or (through and self._is_int8(node.outputs[0]))

    def _shortcut(self, add: ir.Node) -> tuple[int, ...]:
        """Which input of an addition is the shortcut, if the other comes from an int8 layer that can take it in.

        Of two such layers the later one does, as of a block and the projection beside it.
        """
        first, second = add.inputs
        if first is second or not (_is_computed(first) and _is_computed(second)):
            return ()
        ready = [self._place[layer] if (layer := self._fused_layer(value)) else -1 for value in (first, second)]
        if max(ready) < 0:
            return ()
        return (0,) if ready[1] > ready[0] else (1,)

    def _fused_layer(self, value: ir.Value | None) -> ir.Node | None:
        """The int8 layer whose kernel makes a tensor that nothing else takes."""
        node = value.producer() if value is not None and len(value.uses()) == 1 else None
        if node is None or node in self._layers:
            return node
        return self._fused_layer(node.inputs[0]) if node.op_type in _ACTIVATIONS else None


def _is_computed(value: ir.Value | None) -> bool:
    return value is not None and value.producer() is not None
