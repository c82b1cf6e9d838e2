"""Convolutions made ready for int8: biases that fit, and weights rounded so that each kernel keeps its sum."""

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import TensorsData

from clipdepth_export.topology import nodes_of

LEVELS = 127
"""The largest int8 of a symmetric range; a channel's largest weight takes it."""
_LARGEST_BIAS = 2**30
"""Half of what int32 holds: a bias is stored in steps of the input's step times the channel's."""


def prepared(model: onnx.ModelProto, ranges: TensorsData) -> ir.Model:
    """A copy of an fp32 graph that is ready for int8, whatever the placement."""
    copy = ir.from_proto(model)
    fit_biases(copy.graph, ranges)
    round_kernels(copy.graph)
    return copy


def fit_biases(graph: ir.Graph, ranges: TensorsData) -> None:
    """Raise a channel's largest weight, in place, where its bias in int8's steps would not fit into int32.

    Such a channel is dead, its weights a millionth of its bias; the rise changes what it answers by less than 1e-4 of
    the bias. ONNX Runtime's quantizer would widen the channel's step instead, in one placement and not in the other.
    """
    for node in nodes_of(graph, "Conv"):
        taken, weight, bias = (*node.inputs, None)[:3]
        held = [value.const_value.numpy() if value and value.const_value else None for value in (weight, bias)]
        step = span(ranges, taken) / 255
        if step and weight and held[0] is not None and held[1] is not None:
            least = LEVELS * np.abs(held[1].astype(np.float64)) / step / _LARGEST_BIAS
            weight.const_value = ir.tensor(_raised(held[0], least), name=weight.name)


def span(ranges: TensorsData, value: ir.Value | None) -> float:
    """The width of a tensor's range, 0 included; 0 where it is not known."""
    if value is None or value.name not in ranges:
        return 0.0
    lowest, highest = ranges[value.name].range_value
    return max(float(highest), 0.0) - min(float(lowest), 0.0)


def _raised(weight: NDArray[np.float32], least: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weights (O, …) with the largest of each channel of at least that magnitude, (O,)."""
    rows = weight.reshape(len(weight), -1).copy()
    largest = np.abs(rows).argmax(axis=1)[:, None]
    values = np.take_along_axis(rows, largest, axis=1)
    raised = np.copysign(np.maximum(np.abs(values), least[:, None]), values).astype(np.float32)
    np.put_along_axis(rows, largest, raised, axis=1)
    return np.asarray(rows.reshape(weight.shape))


def round_kernels(graph: ir.Graph) -> None:
    """Round the weights of the convolutions with kernels of several pixels to int8's steps, in place.

    Weights stay float and on their grid, so that whoever rounds them next changes nothing. Rounded one by one, the
    weights of a kernel that sums to 0, an edge filter, sum to something else, and the brightness of a picture, which is
    far larger than its edges, leaks into the channel: of EfficientNet-Lite's first convolution alone that is most of
    what int8 costs.
    """
    for weight in {node.inputs[1] for node in nodes_of(graph, "Conv")}:
        values = weight.const_value.numpy() if weight and weight.const_value is not None else None
        if weight and values is not None and values[0, 0].size > 1:
            weight.const_value = ir.tensor(keep_sums(values), name=weight.name)


def keep_sums(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights (O, I, …) on int8's grid, a step for each output, with the sum over each kernel … kept to half a step.

    Each is the nearest, or, where the sum asks for it, the second nearest: those that are nearest to half-way first.
    """
    kernels = weight.reshape(*weight.shape[:2], -1).astype(np.float64)
    step = np.abs(kernels).max(axis=(1, 2), keepdims=True) / LEVELS
    exact = kernels / np.where(step, step, 1)
    rounded = np.rint(exact)
    lost = exact - rounded
    # How many of a kernel's weights go one step up, or down if negative, and which rank each has for that.
    moves = np.rint(lost.sum(axis=2, keepdims=True))
    direction = np.sign(moves)
    rank = (-direction * lost).argsort(axis=2).argsort(axis=2)
    rounded = np.clip(rounded + direction * (rank < np.abs(moves)), -LEVELS, LEVELS)
    return np.asarray((rounded * step).reshape(weight.shape), np.float32)
