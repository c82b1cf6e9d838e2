"""What is done to the picture before the first convolutions, taken into their weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnxscript.rewriter import rewrite
from onnxscript.rewriter.pattern import RewriteRule

from clipdepth_export.constants import constant_or_empty

_PIXELS = {"kernel_shape", "strides", "pads"}
"""The attributes of a convolution that count pixels."""


def fold_picture(model: ir.Model) -> None:
    """Let the first convolutions take the frame as it is, BGR from 0 to 255, in place.

    Their weights take in the colours' order, the division by the deviation, and the average over 2×2 pixels (or more)
    that a trunk on a smaller picture sees: a convolution of 3×3 pixels by steps of 2 then is one of 6×6 by 4. A mean is
    still subtracted, since the convolutions' border is 0 after it. Exact but for rounding. A graph whose picture goes
    anywhere else, or into convolutions with groups or dilations, is left as it is, as is an average that cuts rows off.
    """
    rewrite(model, [RewriteRule(_image, _frame, _foldable)])


@dataclass(frozen=True)
class _Layer:
    """A convolution of the image, or of its average over size×size pixels."""

    convolution: ir.Node
    size: int


def _image(op: Any, frame: Any, order: Any, mean: Any, std: Any) -> Any:
    """The normalised image of a frame, as `DepthModel.image` becomes it."""
    colours = op.Gather(op.Cast(frame, to=ir.DataType.FLOAT, _outputs=["pixels"]), order, axis=3)
    return op.Div(op.Sub(op.Transpose(colours, perm=[0, 3, 1, 2]), mean), std, _outputs=["image"])


def _foldable(context: Any, frame: ir.Value, order: ir.Value, mean: ir.Value, std: ir.Value, **found: ir.Value) -> bool:
    """Whether an image is that of the graph's frame, and all that takes it a convolution that can be widened."""
    shapes = {constant_or_empty(mean).shape, constant_or_empty(std).shape}
    return (
        frame.is_graph_input()
        and len(frame.uses()) == 1
        and shapes == {(1, 3, 1, 1)}
        and sorted(constant_or_empty(order).reshape(-1).tolist()) == [0, 1, 2]
        and bool(_layers(frame, found["image"]))
    )


def _layers(frame: ir.Value, image: ir.Value) -> list[_Layer]:
    """The convolutions that take the image or an average of it; [] where anything else does."""
    sides = frame.shape.dims[1:3] if frame.shape else ()
    pools = [node for node in image.consumers() if _tiles(node, sides)]
    sizes = {image: 1} | {pool.outputs[0]: pool.attributes["kernel_shape"].as_ints()[0] for pool in pools}
    layers = [_Layer(node, size) for value, size in sizes.items() for node in value.consumers() if node not in pools]
    plain = all(_plain(layer.convolution) for layer in layers)
    return layers if plain and not any(value.is_graph_output() for value in sizes) else []


def _tiles(node: ir.Node, sides: Sequence[int | ir.SymbolicDim]) -> bool:
    """Whether a node averages over squares that cover the picture, none twice."""
    settings = node.attributes
    size, *others = settings.get_ints("kernel_shape", [0])
    dilations = settings.get_ints("dilations", [])
    return (
        node.op_type == "AveragePool"
        and others == [size]
        and list(settings.get_ints("strides", [])) == [size, size]
        and settings.get_string("auto_pad", "NOTSET") == "NOTSET"
        and {*settings.get_ints("pads", []), *(dilation - 1 for dilation in dilations)} <= {0}
        and all(isinstance(side, int) and side % size == 0 for side in sides)
    )


def _plain(node: ir.Node) -> bool:
    """Whether a node is a convolution that can be widened: each weight of one colour and one pixel, stated borders."""
    settings = node.attributes
    return (
        node.op_type == "Conv"
        and constant_or_empty(node.inputs[1]).ndim == 4
        and settings.get_int("group", 1) == 1
        and settings.get_string("auto_pad", "NOTSET") == "NOTSET"
        and set(settings.get_ints("dilations", [])) <= {1}
    )


def _frame(op: Any, frame: Any, pixels: Any, order: Any, mean: Any, std: Any, image: Any) -> ir.Value:
    """What the convolutions take instead of the image; it widens them."""
    colours = np.argsort(constant_or_empty(order).reshape(-1))
    for layer in _layers(frame, image):
        _widen(op, layer, colours, constant_or_empty(std).reshape(-1), image)
    planes: ir.Value = op.Transpose(op.Cast(frame, to=ir.DataType.FLOAT), perm=[0, 3, 1, 2])
    if not constant_or_empty(mean).any():
        return planes
    ordered = constant_or_empty(mean).reshape(3, 1, 1)[colours]
    shifted: ir.Value = op.Sub(planes, op.initializer(ir.tensor(ordered), f"{pixels.name}_mean"))
    return shifted


def _widen(op: Any, layer: _Layer, colours: NDArray[Any], std: NDArray[Any], image: ir.Value) -> None:
    """Give a convolution of an image's average the image, and weights for the frame's colours and range."""
    node, size = layer.convolution, layer.size
    weight = node.inputs[1]
    assert weight is not None
    scaled = constant_or_empty(weight).astype(np.float64) / std[:, None, None] / size**2
    wide = scaled[:, colours].repeat(size, axis=2).repeat(size, axis=3).astype(np.float32)
    node.replace_input_with(0, image)
    node.replace_input_with(1, op.initializer(ir.tensor(wide), f"{weight.name}_for_{node.outputs[0].name}"))
    node.attributes.setdefault("strides", ir.AttrInt64s("strides", [1, 1]))
    for name in _PIXELS & node.attributes.keys():
        node.attributes[name] = ir.AttrInt64s(name, [size * pixels for pixels in node.attributes[name].as_ints()])
