"""Int8 as TensorRT runs it best: signed, symmetric Q/DQ, and half in all that is not int8.

TensorRT's networks are strongly typed: a layer computes in the type that stands at its edges. So DequantizeLinear gives
half here, biases are half, and a layer that is not quantised computes in half, not in fp32. Q/DQ of half tensors need
opset 19, the newest that all of TensorRT 10 reads. Biases are no int32 tensors, which TensorRT refuses.
"""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir import DataType
from onnxruntime.quantization.calibrate import TensorsData

from clipdepth_export.calibration import Statistics
from clipdepth_export.half import convert, fp32_nodes, rounded
from clipdepth_export.int8.edges import Int8Edges
from clipdepth_export.int8.layers import quantizable
from clipdepth_export.int8.rounding import LEVELS, prepared, span
from clipdepth_export.topology import layer_name

OPSET = 19
"""The first in which QuantizeLinear and DequantizeLinear take half."""


class TensorRtQuantizer:
    """Puts signed, symmetric pairs around layers as `place` does; kernels keep their sums, see `round_kernels`."""

    def __init__(self, model: onnx.ModelProto, statistics: Statistics) -> None:
        self._model = prepared(model, statistics.ranges)
        self._statistics = statistics
        self.layers = quantizable(self._model.graph)

    def __call__(self, layers: Iterable[str]) -> onnx.ModelProto:
        """See `Quantizer`."""
        return place(ir.to_proto(self._model), self._statistics.ranges, layers, self._statistics.largest)

    def as_run(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """See `Quantizer`; ONNX Runtime would make int32 biases of half ones, in half, which is silently wrong."""
        return rounded(model)

    def name(self, layer: str) -> str:
        """See `Quantizer`."""
        return layer_name(self._model.graph.node(layer))


def place(
    model: onnx.ModelProto,
    ranges: TensorsData,
    layers: Iterable[str],
    largest: Mapping[str, float] | None = None,
) -> onnx.ModelProto:
    """A copy of an fp32 graph in which `layers`, nodes of arithmetic by name, are int8, and all else is as in `half`.

    `ranges` are those of activations, `largest` the largest magnitudes of tensors.
    """
    copy = ir.from_proto(model)
    copy.graph.opset_imports[""] = OPSET
    keep = fp32_nodes(copy.graph, largest)
    names = set(layers)
    chosen = {node for node in copy.graph if node.name in names}
    placement = _Placement(copy.graph, ranges, keep)
    edges = Int8Edges(copy.graph, chosen, keep)
    for node, at in edges:
        value = node.inputs[at]
        assert value is not None
        node.replace_input_with(at, placement.activation(value, edges.same_scale(value), node))
        if node in chosen:
            node.replace_input_with(1, placement.weight(node))
    convert(copy, keep | placement.fp32)
    return ir.to_proto(copy)


class _Placement:
    """Adds Q/DQ to a graph whose nodes in `keep` are to stay in fp32; what is made twice is made once."""

    def __init__(self, graph: ir.Graph, ranges: TensorsData, keep: Collection[ir.Node]) -> None:
        self._graph, self._ranges, self._keep = graph, ranges, keep
        self._made: dict[str, ir.Value] = {}
        self.fp32: set[ir.Node] = set()
        """The added nodes that have to stay in fp32, since what they take or give does."""

    def activation(self, value: ir.Value, same_scale: Iterable[ir.Value], user: ir.Node) -> ir.Value:
        """A tensor by way of int8, for a node that takes it."""
        assert value.name
        scale = _step(np.float32(max(self._magnitude(other) for other in same_scale)))
        parameters = self._parameters(value.name, scale)
        quantized = self._made.get(f"{value.name}_quantized")
        if quantized is None:
            quantize = self._node("QuantizeLinear", [value, *parameters], f"{value.name}_quantized", DataType.INT8)
            maker = value.producer()
            assert maker
            maker.append(quantize)
            if maker in self._keep:
                self.fp32.add(quantize)
            quantized = quantize.outputs[0]
        return self._restored(quantized, parameters, value.name, user)

    def weight(self, layer: ir.Node) -> ir.Value:
        """A layer's weight in int8, with a step for each of its output channels.

        The numbers are those of the exact step, as in the graph for processors, so that both share them. A channel so
        weak that no half is near its step has those of the half, unless that changes its result by no level.
        """
        weight = layer.inputs[1]
        assert weight
        assert weight.name
        assert weight.const_value
        values, axis = weight.const_value.numpy(), _output_axis(layer)
        others = tuple(other for other in range(values.ndim) if other != axis % values.ndim)
        largest = np.abs(values).max(axis=others)
        exact, stored = np.where(largest > 0, largest / LEVELS, 1).astype(np.float32), _step(largest)
        off = LEVELS * np.abs(stored - exact) * span(self._ranges, layer.inputs[0])
        near = (LEVELS * np.abs(stored - exact) < exact / 2) | (4 * 255 * off < span(self._ranges, layer.outputs[0]))
        step = np.where(near, exact, stored)
        levels = np.rint(values / np.expand_dims(step, others)).clip(-LEVELS, LEVELS).astype(np.int8)
        quantized = self._constant(f"{weight.name}_quantized", levels)
        return self._restored(quantized, self._parameters(weight.name, stored), weight.name, layer, axis)

    def _restored(
        self, quantized: ir.Value, parameters: list[ir.Value], name: str, user: ir.Node, axis: int | None = None
    ) -> ir.Value:
        """An int8 tensor as float, of the type that `user` computes in."""
        exact = user in self._keep
        name = f"{name}_dequantized{'_fp32' if exact else ''}"
        if name not in self._made:
            attributes = {} if axis is None else {"axis": axis}
            restore = self._node("DequantizeLinear", [quantized, *parameters], name, DataType.FLOAT, **attributes)
            maker = quantized.producer()
            if maker:
                maker.append(restore)
            else:
                user.prepend(restore)
            if exact:
                self.fp32.add(restore)
        return self._made[name]

    def _node(self, operator: str, inputs: list[ir.Value], name: str, kind: DataType, **attributes: int) -> ir.Node:
        self._made[name] = ir.val(name, kind, inputs[0].shape)
        return ir.node(operator, inputs, attributes, outputs=[self._made[name]], name=name)

    def _parameters(self, name: str, scale: NDArray[np.float32]) -> list[ir.Value]:
        """Scale and zero point."""
        return [self._constant(f"{name}_scale", scale), self._constant(f"{name}_zero", np.zeros(scale.shape, np.int8))]

    def _constant(self, name: str, content: NDArray[np.generic]) -> ir.Value:
        if name not in self._made:
            self._made[name] = ir.val(name, const_value=ir.tensor(content, name=name))
            self._graph.register_initializer(self._made[name])
        return self._made[name]

    def _magnitude(self, value: ir.Value) -> float:
        low, high = self._ranges[value.name].range_value
        return max(abs(float(low)), abs(float(high)))


def _output_axis(layer: ir.Node) -> int:
    """The axis of a layer's weight that its output channels lie along."""
    match layer.op_type:
        case "Conv":
            return 0
        case "ConvTranspose":
            return 1
        case "Gemm":
            return 0 if layer.attributes.get_int("transB", 0) else 1
        case _:
            return -1


def _step(magnitude: NDArray[np.float32] | np.float32) -> NDArray[np.float32]:
    """The steps of int8 for values up to a magnitude, as halves, so that half tensors and fp32 ones have the same.

    Each is the next half above, where halves are few: nothing is cut off, and none becomes 0.
    """
    exact = np.where(magnitude > 0, magnitude / np.float32(LEVELS), np.float32(1)).astype(np.float32)
    nearest = exact.astype(np.float16)
    coarse = (exact < np.finfo(np.float16).smallest_normal) & (nearest < exact)
    return np.asarray(np.where(coarse, np.nextafter(nearest, np.float16(np.inf)), nearest), np.float32)
