"""What is done to the picture before the first convolutions, taken into their weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from clipdepth_export.topology import attributes, only_user, replace_nodes, users_of

_STEPS: dict[str, dict[str, Any]] = {
    "Cast": {"to": TensorProto.FLOAT},
    "Gather": {"axis": 3},
    "Transpose": {"perm": [0, 3, 1, 2]},
    "Sub": {},
    "Div": {},
}
"""The operators that `DepthModel.image` becomes, with what they have to say."""
_PIXELS = {"kernel_shape", "strides", "pads"}
"""The attributes of a convolution that count pixels."""


def fold_picture(model: onnx.ModelProto) -> None:
    """Let the first convolutions take the frame as it is, BGR from 0 to 255, in place.

    Their weights take in the colours' order, the division by the deviation, and the average over 2×2 pixels (or more)
    that a trunk on a smaller picture sees: a convolution of 3×3 pixels by steps of 2 then is one of 6×6 by 4. A mean is
    still subtracted, since the convolutions' border is 0 after it. Exact but for rounding. A graph whose picture goes
    anywhere else, or into convolutions with groups or dilations, is left as it is, as is an average that cuts rows off.
    """
    graph = model.graph
    image = _image(graph)
    layers = _layers(graph, image.tensor) if image else []
    if not image or not layers:
        return
    for layer in layers:
        _take_frame(graph, layer, image)
    shift, nodes = _shift(graph, image), list(graph.node)
    place = nodes.index(image.transpose)
    image.transpose.input[0] = [image.cast, *shift][-1].output[0]
    replace_nodes(graph, [*nodes[:place], *shift, *nodes[place:]])


@dataclass(frozen=True)
class _Image:
    """How a graph makes the normalised image of its frame."""

    cast: onnx.NodeProto
    transpose: onnx.NodeProto
    tensor: str
    order: NDArray[Any]
    """Which of the frame's colours is the first of the image's, the second, the third."""
    mean: NDArray[Any]
    std: NDArray[Any]


@dataclass(frozen=True)
class _Layer:
    """A convolution of the image, or of its average over size×size pixels."""

    convolution: onnx.NodeProto
    weight: NDArray[Any]
    size: int


def _image(graph: onnx.GraphProto) -> _Image | None:
    """The way from the frame to the image, where it is what `DepthModel.image` becomes."""
    tensor, nodes = "frame", list[onnx.NodeProto]()
    for operator, said in _STEPS.items():
        node = only_user(graph, tensor, operator)
        if node is None or node.input[0] != tensor or not said.items() <= attributes(node).items():
            return None
        nodes.append(node)
        tensor = node.output[0]
    cast, gather, transpose, subtract, divide = nodes
    order, mean, std = (_constant(graph, node.input[1]) for node in (gather, subtract, divide))
    if {mean.shape, std.shape} != {(1, 3, 1, 1)} or sorted(order.reshape(-1).tolist()) != [0, 1, 2]:
        return None
    return _Image(cast, transpose, tensor, order.reshape(-1), mean.reshape(-1), std.reshape(-1))


def _layers(graph: onnx.GraphProto, image: str) -> list[_Layer]:
    """The convolutions that take the image or an average of it; [] where anything else does."""
    frame = next(value for value in graph.input if value.name == "frame").type.tensor_type.shape.dim
    sides = [dim.dim_value for dim in frame[1:3]]
    pools = [node for node in users_of(graph, image) if _tiles(node, sides)]
    sizes = {image: 1} | {pool.output[0]: attributes(pool)["kernel_shape"][0] for pool in pools}
    takers = [node for tensor in sizes for node in users_of(graph, tensor) if node not in pools]
    plain = all(_plain(node) and _constant(graph, node.input[1]).ndim == 4 for node in takers)
    if not plain or sizes.keys() & {value.name for value in graph.output}:
        return []
    return [_Layer(node, _constant(graph, node.input[1]), sizes[node.input[0]]) for node in takers]


def _tiles(node: onnx.NodeProto, sides: list[int]) -> bool:
    """Whether a node averages over squares that cover the picture, none twice."""
    settings = attributes(node)
    size, *others = settings.get("kernel_shape", [0])
    return (
        node.op_type == "AveragePool"
        and others == [size]
        and settings.get("strides") == [size, size]
        and settings.get("auto_pad", b"NOTSET") == b"NOTSET"
        and {*settings.get("pads", []), *(dilation - 1 for dilation in settings.get("dilations", []))} <= {0}
        and all(side and side % size == 0 for side in sides)
    )


def _plain(node: onnx.NodeProto) -> bool:
    """Whether a node is a convolution that can be widened: each weight of one colour and one pixel, stated borders."""
    settings = attributes(node)
    return (
        node.op_type == "Conv"
        and settings.get("group", 1) == 1
        and settings.get("auto_pad", b"NOTSET") == b"NOTSET"
        and set(settings.get("dilations", [])) <= {1}
    )


def _take_frame(graph: onnx.GraphProto, layer: _Layer, image: _Image) -> None:
    """Give a convolution the picture as it is, and weights to match."""
    node, size = layer.convolution, layer.size
    weight = layer.weight.astype(np.float64) / image.std[:, None, None] / size**2
    wide = _in_frames_order(weight, image.order, axis=1).repeat(size, axis=2).repeat(size, axis=3)
    name = f"{node.input[1]}_for_{node.output[0]}"
    graph.initializer.append(numpy_helper.from_array(wide.astype(np.float32), name))
    node.input[0], node.input[1] = image.transpose.output[0], name
    pixels = {"strides": [1, 1]} | {key: value for key, value in attributes(node).items() if key in _PIXELS}
    kept = [attribute for attribute in node.attribute if attribute.name not in _PIXELS]
    widened = [helper.make_attribute(key, [size * value for value in values]) for key, values in pixels.items()]
    del node.attribute[:]
    node.attribute.extend([*kept, *widened])


def _shift(graph: onnx.GraphProto, image: _Image) -> list[onnx.NodeProto]:
    """The node that subtracts the mean from the frame, if that is not 0."""
    if not image.mean.any():
        return []
    frame = image.cast.output[0]
    mean, shifted = f"{frame}_mean", f"{frame}_shifted"
    graph.initializer.append(numpy_helper.from_array(_in_frames_order(image.mean, image.order, axis=0), mean))
    return [helper.make_node("Sub", [frame, mean], [shifted], name=shifted)]


def _in_frames_order(values: NDArray[Any], order: NDArray[Any], axis: int) -> NDArray[Any]:
    """What belongs to the image's colours, along `axis`, in the order of the frame's."""
    return np.asarray(values.take(np.argsort(order), axis))


def _constant(graph: onnx.GraphProto, name: str) -> NDArray[Any]:
    """The weight of that name; empty where the graph computes it."""
    found = [numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name == name]
    return found[0] if found else np.empty(0)
