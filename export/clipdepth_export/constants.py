"""The constants of a graph: read, and added."""

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """What a value holds; None where the graph computes it."""
    return value.const_value.numpy() if value is not None and value.const_value is not None else None


def constant_or_empty(value: ir.Value | None) -> NDArray[Any]:
    """The same, with no number where the graph computes it."""
    held = constant(value)
    return np.empty(0) if held is None else held


def register(graph: ir.Graph, name: str, array: NDArray[Any]) -> ir.Value:
    """A new constant of the graph, of that name."""
    value = ir.val(name, const_value=ir.tensor(array, name=name))
    graph.register_initializer(value)
    return value
