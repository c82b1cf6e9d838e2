"""Which nodes of a graph ONNX Runtime gave to another execution provider than the one that was asked for."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import onnxruntime

from clipdepth.bundle.onnx_file import Node, OnnxFile
from clipdepth.errors import EngineError

RECORD = ("session.record_ep_graph_assignment_info", "1")
"""The session's option without which ONNX Runtime does not tell."""
_ASKS_SHAPE = frozenset({"Shape", "Size"})
_MOVES = frozenset({"Cast", "Concat", "Expand", "Gather", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze"})
_PICTURES = frozenset({"frame", "segmentation"})


class MisplacedError(EngineError):
    """A part of a graph's arithmetic would run elsewhere than it was asked for."""


class AssignedNode(Protocol):
    """`onnxruntime.OrtEpAssignedNode`, of the graph as it was optimised before it was divided."""

    name: str
    op_type: str


class AssignedSubgraph(Protocol):
    """`onnxruntime.OrtEpAssignedSubgraph`."""

    ep_name: str

    def get_nodes(self) -> Sequence[AssignedNode]:
        """Its nodes, by their names in the ONNX file unless they are several in one."""


def refuse_elsewhere(
    session: onnxruntime.InferenceSession, graph: Path, wanted: str, operators: Container[str] | None = None
) -> None:
    """Check that a session of `RECORD` computes pictures on `wanted` alone, or the `operators` among what it computes.

    Raises MisplacedError with the operators that are elsewhere, and before ONNX Runtime 1.24, which does not tell.
    """
    found = count_elsewhere(session, graph, wanted)
    misplaced = Counter({name: count for name, count in found.items() if operators is None or name in operators})
    if misplaced:
        raise MisplacedError(
            f"ONNX Runtime runs {misplaced.total()} nodes of {graph} elsewhere than on {wanted}: {listed(misplaced)}; "
            "choose another precision or engine"
        )


def count_elsewhere(session: onnxruntime.InferenceSession, graph: Path, wanted: str) -> Counter[str]:
    """How many nodes of each operator of a session of `RECORD` work on pictures and are not on `wanted`.

    Raises MisplacedError before ONNX Runtime 1.24, which does not tell.
    """
    if not hasattr(session, "get_provider_graph_assignment_info"):
        raise MisplacedError(
            f"onnxruntime {onnxruntime.__version__} does not tell which nodes {wanted} runs; install 1.24 or newer"
        )
    return nodes_elsewhere(session.get_provider_graph_assignment_info(), OnnxFile(graph).nodes, wanted)


def listed(operators: Counter[str]) -> str:
    """Such as '2 Cast, 1 Einsum'."""
    return ", ".join(f"{count} {operator}" for operator, count in operators.most_common())


def nodes_elsewhere(subgraphs: Iterable[AssignedSubgraph], nodes: Sequence[Node], wanted: str) -> Counter[str]:
    """How many nodes of each operator work on pictures and are not on `wanted`; `nodes` are those of the ONNX file.

    Shapes and constants may be computed anywhere: ONNX Runtime keeps them on the CPU, where a GPU would be slower.
    """
    on_pictures = _on_pictures(nodes)
    aside = {node.name for node in nodes} - on_pictures - {""}
    others = [node for graph in subgraphs if graph.ep_name != wanted for node in graph.get_nodes()]
    return Counter(
        node.op_type
        for node in others
        if node.name in on_pictures or (node.name not in aside and node.op_type not in _MOVES | _ASKS_SHAPE)
    )


def _on_pictures(nodes: Sequence[Node]) -> set[str]:
    """The names of the nodes whose input is a picture, or was made from one."""
    made, names = set(_PICTURES), set()
    for node in nodes:
        if node.operator not in _ASKS_SHAPE and made.intersection(node.inputs):
            made.update(node.outputs)
            names.add(node.name)
    return names - {""}
