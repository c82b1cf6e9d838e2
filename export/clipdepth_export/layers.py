"""Where a graph goes wrong: its layers held to PyTorch's, one by one."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper

from clipdepth_export.calibration import Feeds, open_session
from clipdepth_export.topology import ARITHMETIC, layer_name
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
    graph = variant.model
    tensors = {node.output[0] for node in graph.graph.node if node.op_type in ARITHMETIC}
    expected = _torch_values(program, tensors, feeds)
    found = _graph_values(variant.judged, list(expected), feeds)
    errors = {name: _relative(found[name], expected[name]) for name in expected}
    return sorted(_added(graph, errors), key=lambda layer: layer.added, reverse=True)[:count]


def _added(graph: onnx.ModelProto, errors: dict[str, float]) -> list[LayerError]:
    """Take from each layer's error the largest that reaches it."""
    reaching: dict[str, float] = {}
    layers = []
    for node in graph.graph.node:
        before = max((reaching.get(tensor, 0.0) for tensor in node.input), default=0.0)
        after = errors.get(node.output[0], before)
        reaching.update(dict.fromkeys(node.output, after))
        if node.output[0] in errors:
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


def _graph_values(graph: onnx.ModelProto, names: list[str], feeds: Feeds) -> dict[str, NDArray[Any]]:
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    del copy.graph.output[:]
    types = {value.name: value.type.tensor_type.elem_type for value in graph.graph.value_info}
    for name in names:
        kind = types.get(name, onnx.TensorProto.FLOAT)
        copy.graph.output.append(helper.make_tensor_value_info(name, kind, None))
    values = open_session(copy).run(names, feeds)
    return {name: value.astype(np.float64) for name, value in zip(names, values, strict=True)}


def _relative(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if not np.isfinite(found).all():
        return float("inf")
    return float(np.linalg.norm(found - expected) / max(float(np.linalg.norm(expected)), 1e-12))
