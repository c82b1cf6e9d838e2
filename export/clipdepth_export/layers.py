"""Where a graph goes wrong: its layers held to PyTorch's, one by one."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.typing import NDArray

from clipdepth_export.calibration import Feeds, open_session
from clipdepth_export.topology import ARITHMETIC, layer_name, nodes_of
from clipdepth_export.variants import Variant


@dataclass(frozen=True)
class LayerError:
    """A layer's relative error ‖a - r‖ / ‖r‖ to PyTorch's output r, and how much of it the layers before it lack."""

    layer: str
    error: float
    added: float

    def __str__(self) -> str:
        return f"{self.layer} (adds {self.added:.2g} to a relative error of {self.error - self.added:.2g})"


def worst_layers(program: torch.onnx.ONNXProgram, variant: Variant, feeds: Feeds, count: int = 3) -> list[LayerError]:
    """The layers of a variant of the traced `program` that add most error on one frame."""
    graph = ir.from_proto(variant.model).graph
    tensors = {node.outputs[0].name or "" for node in nodes_of(graph, *ARITHMETIC)}
    expected = _torch_values(program, tensors, feeds)
    found = _graph_values(variant.judged, list(expected), feeds)
    errors = {name: _relative(found[name], expected[name]) for name in expected}
    return sorted(_added(graph, errors), key=lambda layer: layer.added, reverse=True)[:count]


def _added(graph: ir.Graph, errors: dict[str, float]) -> list[LayerError]:
    """Take from each layer's error the largest that reaches it."""
    reaching: dict[ir.Value | None, float] = {}
    layers = []
    for node in graph:
        before = max((reaching.get(value, 0.0) for value in node.inputs), default=0.0)
        name = node.outputs[0].name or ""
        after = errors.get(name, before)
        reaching.update(dict.fromkeys(node.outputs, after))
        if name in errors:
            # An infinite error blames the first layer that has it, and none after.
            added = 0.0 if np.isinf(before) else max(0.0, after - before)
            layers.append(LayerError(layer_name(node), after, added))
    return layers


def _torch_values(program: torch.onnx.ONNXProgram, names: Collection[str], feeds: Feeds) -> dict[str, NDArray[Any]]:
    """What PyTorch computes for the graph's tensors; the exporter names them after the traced nodes."""
    assert program.exported_program is not None
    recorder = _Recorder(program.exported_program.module(), names)
    with torch.inference_mode():
        recorder.run(*(torch.from_numpy(value) for value in feeds.values()))
    return recorder.found


class _Recorder(torch.fx.Interpreter):
    def __init__(self, module: torch.fx.GraphModule, names: Collection[str]) -> None:
        super().__init__(module)
        self._names = names
        self.found: dict[str, NDArray[Any]] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        result = super().run_node(n)
        if n.name in self._names and isinstance(result, torch.Tensor):
            self.found[n.name] = result.numpy().astype(np.float64)
        return result


def _graph_values(model: onnx.ModelProto, names: list[str], feeds: Feeds) -> dict[str, NDArray[Any]]:
    copy = ir.from_proto(model)
    made = {value.name: value for node in copy.graph for value in node.outputs}
    wanted = [_restored(made[name]) for name in names]
    copy.graph.outputs[:] = wanted
    values = open_session(ir.to_proto(copy)).run([value.name for value in wanted], feeds)
    return {name: value.astype(np.float64) for name, value in zip(names, values, strict=True)}


def _restored(value: ir.Value) -> ir.Value:
    """A layer's output after its rounding, if it has one: in that, the activation between the two may be hidden."""
    for step in ("QuantizeLinear", "DequantizeLinear"):
        users = value.consumers()
        if [user.op_type for user in users] != [step]:
            break
        value = users[0].outputs[0]
    return value


def _relative(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if not np.isfinite(found).all():
        return float("inf")
    return float(np.linalg.norm(found - expected) / max(float(np.linalg.norm(expected)), 1e-12))
