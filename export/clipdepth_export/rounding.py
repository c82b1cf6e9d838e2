"""Weights rounded to int8 so that each kernel keeps its sum."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from clipdepth_export.topology import nodes_of

LEVELS = 127
"""The largest int8 of a symmetric range; a channel's largest weight takes it."""


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
