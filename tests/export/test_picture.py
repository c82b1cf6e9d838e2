"""The first convolutions of a graph, given the frame as it is: the same numbers, of fewer nodes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx_ir.passes.common import RemoveUnusedNodesPass

from clipdepth.bundle.folder import Bundle
from clipdepth_export.calibration import open_session
from clipdepth_export.picture import fold_picture
from clipdepth_train.depth_model import NORMALISATIONS
from small_graphs import constants

HEIGHT, WIDTH = 16, 24


def frames(count: int = 1, height: int = HEIGHT) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, height, WIDTH, 3), dtype=np.uint8)


def convolution(source: str, name: str, *, kernel: int = 3, padding: int = 1, **settings: Any) -> onnx.NodeProto:
    settings = {"kernel_shape": [kernel, kernel], "strides": [2, 2], "pads": [padding] * 4, **settings}
    settings = {key: value for key, value in settings.items() if value is not None}
    return helper.make_node("Conv", [source, f"{name}.weight", f"{name}.bias"], [name], name=name, **settings)


def pool(size: int, name: str = "pooled", **settings: Any) -> onnx.NodeProto:
    settings = {"kernel_shape": [size, size], "strides": [size, size], **settings}
    return helper.make_node("AveragePool", ["image"], [name], name=name, **settings)


def model(
    nodes: Sequence[onnx.NodeProto],
    *,
    normalisation: str = "clip",
    batch: int | str = 1,
    height: int | str = HEIGHT,
    outputs: Sequence[str] = ("first",),
    held: dict[str, NDArray[Any]] | None = None,
) -> onnx.ModelProto:
    """From `frame` over the normalised `image` to convolutions named first, second…, as torch writes it."""
    mean, std = (255 * np.array(values, np.float32).reshape(1, 3, 1, 1) for values in NORMALISATIONS[normalisation])
    values: dict[str, NDArray[Any]] = {"mean": mean, "std": std, "bgr_to_rgb": np.array([2, 1, 0]), **weights(nodes)}
    steps = [
        helper.make_node("Cast", ["frame"], ["float"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Gather", ["float", "bgr_to_rgb"], ["rgb"], name="gather", axis=3),
        helper.make_node("Transpose", ["rgb"], ["planes"], name="transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["planes", "mean"], ["shifted"], name="sub"),
        helper.make_node("Div", ["shifted", "std"], ["image"], name="div"),
    ]
    graph = helper.make_graph(
        [*steps, *nodes],
        "picture",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [batch, height, WIDTH, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in {**values, **(held or {})}.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(made, strict_mode=True)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def weights(nodes: Sequence[onnx.NodeProto]) -> dict[str, NDArray[np.float32]]:
    """For each convolution named there, five outputs of noise with a bias."""
    found: dict[str, NDArray[np.float32]] = {}
    for node in (node for node in nodes if node.op_type == "Conv"):
        rng = np.random.default_rng(len(node.name))
        settings = attributes(node)
        shape = (6, 3 // settings.get("group", 1), *settings.get("kernel_shape", [3, 3]))
        found.setdefault(node.input[1], rng.normal(size=shape).astype(np.float32))
        found.setdefault(node.input[2], rng.normal(size=6).astype(np.float32))
    return found


def run(graph: onnx.ModelProto, frame: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    found: list[NDArray[np.float32]] = open_session(graph).run(None, {"frame": frame})
    return found


def folded(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A folded copy, checked."""
    copy = ir.from_proto(graph)
    fold_picture(copy)
    made = ir.to_proto(copy)
    onnx.checker.check_model(made, full_check=True)
    return made


def operators(graph: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in graph.graph.node]


def require_same(found: Sequence[NDArray[np.float32]], expected: Sequence[NDArray[np.float32]]) -> None:
    """Every pixel the same but for the rounding of float32, those at the border as well."""
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * np.abs(other).max())
    assert len(found) > 0


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (4, 0)])
def test_a_folded_graph_gives_what_pytorch_does(normalisation: str, size: int, kernel: int, padding: int) -> None:
    nodes = [convolution("image" if size == 1 else "pooled", "first", kernel=kernel, padding=padding)]
    graph = model(nodes if size == 1 else [pool(size), *nodes], normalisation=normalisation)
    small = folded(graph)
    held = {name: torch.from_numpy(value.copy()) for name, value in constants(graph).items()}
    rgb = torch.from_numpy(frames()[..., ::-1].copy()).permute(0, 3, 1, 2).double() / 255
    mean, std = (torch.tensor(values).double()[:, None, None] for values in NORMALISATIONS[normalisation])
    seen = F.avg_pool2d((rgb - mean) / std, size)
    expected = F.conv2d(seen, held["first.weight"].double(), held["first.bias"].double(), stride=2, padding=padding)
    require_same(run(small, frames()), [expected.numpy().astype(np.float32)])
    require_same(run(small, frames()), run(graph, frames()))
    assert operators(small) == ["Cast", "Transpose", *["Sub"] * (normalisation != "unit"), "Conv"]


def test_two_ways_of_the_picture_through_an_average_and_straight() -> None:
    nodes = [pool(2), convolution("pooled", "first"), convolution("image", "second", kernel=5, padding=2)]
    graph = model(nodes, outputs=["first", "second"])
    small = folded(graph)
    assert operators(small) == ["Cast", "Transpose", "Sub", "Conv", "Conv"]
    assert [value.shape for value in run(small, frames())] == [(1, 6, 4, 6), (1, 6, 8, 12)]
    require_same(run(small, frames()), run(graph, frames()))


def test_one_weight_that_two_convolutions_share_is_folded_for_each() -> None:
    second = convolution("image", "second")
    second.input[1] = "first.weight"
    graph = model([pool(2), convolution("pooled", "first"), second], outputs=["first", "second"])
    small = folded(graph)
    require_same(run(small, frames()), run(graph, frames()))
    assert "AveragePool" not in operators(small)


def test_a_weight_that_another_layer_takes_as_well_stays_for_that() -> None:
    later = convolution("relu", "second")
    later.input[1] = "first.weight"
    later.input[2] = "first.bias"
    nodes = [
        pool(2),
        convolution("pooled", "first"),
        helper.make_node("Slice", ["first", "begin", "end", "channels"], ["three"], name="slice"),
        helper.make_node("Relu", ["three"], ["relu"], name="relu"),
        later,
    ]
    held = {"begin": np.array([0]), "end": np.array([3]), "channels": np.array([1])}
    graph = model(nodes, outputs=["second"], held=held)
    require_same(run(folded(graph), frames()), run(graph, frames()))


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_of_any_size(count: int) -> None:
    graph = model([pool(2), convolution("pooled", "first")], batch="batch")
    small = folded(graph)
    assert operators(small) == ["Cast", "Transpose", "Sub", "Conv"]
    assert small.graph.input == graph.graph.input
    require_same(run(small, frames(count)), run(graph, frames(count)))


def test_a_folded_convolution_covers_the_same_pixels_and_keeps_its_bias() -> None:
    graph = model([pool(2), convolution("pooled", "first", group=1, dilations=[1, 1])])
    small = folded(graph)
    (node,) = (node for node in small.graph.node if node.op_type == "Conv")
    assert attributes(node) == {
        "kernel_shape": [6, 6],
        "strides": [4, 4],
        "pads": [2, 2, 2, 2],
        "group": 1,
        "dilations": [1, 1],
    }
    assert node.input[1].startswith("first.weight"), "layers are known by their weights"
    assert constants(small)[node.input[1]].shape == (6, 3, 6, 6)
    assert constants(small).keys() == {node.input[1], "first.bias", "float_mean"}
    assert node.input[2] == "first.bias"


@pytest.mark.parametrize(
    "settings", [{"strides": None}, {"pads": None}, {"kernel_shape": None}, {"pads": [0, 1, 2, 1]}]
)
def test_what_a_convolution_leaves_unsaid_counts_as_it_does_in_onnx(settings: dict[str, Any]) -> None:
    graph = model([pool(2), convolution("pooled", "first", **settings)])
    small = folded(graph)
    assert "AveragePool" not in operators(small)
    require_same(run(small, frames()), run(graph, frames()))


def test_an_image_in_the_frames_own_order_of_colours() -> None:
    graph = model([convolution("image", "first")], held={"bgr_to_rgb": np.array([0, 1, 2])})
    require_same(run(folded(graph), frames()), run(graph, frames()))


def test_a_picture_whose_colours_go_round() -> None:
    """Unlike a swap, this order is not its own inverse."""
    graph = model([pool(2), convolution("pooled", "first")], held={"bgr_to_rgb": np.array([1, 2, 0])})
    small = folded(graph)
    assert "Gather" not in operators(small)
    require_same(run(small, frames()), run(graph, frames()))


def test_tensorrt_finds_the_frame_in_a_cast_and_nowhere_else(export_once: Callable[[str], Bundle]) -> None:
    graph = onnx.load(export_once("edge").graph("fp32"))
    assert [node.op_type for node in graph.graph.node if "frame" in node.input] == ["Cast"]
    assert operators(graph)[:4] == ["Cast", "Transpose", "Sub", "Conv"]
    planes = graph.graph.node[2].output[0]
    first = [attributes(node) for node in graph.graph.node if planes in node.input]
    assert sorted(node["kernel_shape"] for node in first) == [[3, 3], [6, 6]], "the picture's detail, and the trunk"
    assert sorted(node["strides"] for node in first) == [[2, 2], [4, 4]]


def average_goes_elsewhere() -> onnx.ModelProto:
    nodes = [pool(2), convolution("pooled", "first"), helper.make_node("Relu", ["pooled"], ["second"], name="relu")]
    return model(nodes, outputs=["first", "second"])


def picture_goes_into(operator: str, inputs: Sequence[str], held: dict[str, NDArray[Any]], **settings: Any) -> Any:
    other = helper.make_node(operator, list(inputs), ["second"], name="other", **settings)
    return model([convolution("image", "first"), other], outputs=["first", "second"], held=held)


def computed_weight() -> onnx.ModelProto:
    """The weight is a constant no longer, as far as a graph's initializers tell."""
    same = helper.make_node("Relu", ["seed"], ["first.weight"], name="same")
    graph = model([same, convolution("image", "first")], held={"seed": np.ones((6, 3, 3, 3), np.float32)})
    kept = [tensor for tensor in graph.graph.initializer if tensor.name != "first.weight"]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    return graph


def without_colour_order() -> onnx.ModelProto:
    graph = model([convolution("image", "first")])
    graph.graph.node[2].input[0] = "float"
    del graph.graph.node[1]
    return graph


def subtracted_the_other_way() -> onnx.ModelProto:
    graph = model([convolution("image", "first")])
    graph.graph.node[3].input[:] = ["mean", "planes"]
    return graph


LEFT_ALONE: dict[str, Callable[[], onnx.ModelProto]] = {
    "into a concat": lambda: picture_goes_into("Concat", ["image", "image"], {}, axis=1),
    "into a resize": lambda: picture_goes_into(
        "Resize", ["image", "", "", "sizes"], {"sizes": np.array([1, 3, 8, 12])}, mode="linear"
    ),
    "into a relu": lambda: picture_goes_into("Relu", ["image"], {}),
    "out of the graph": lambda: model([convolution("image", "first")], outputs=["first", "image"]),
    "half done out of the graph": lambda: model([convolution("image", "first")], outputs=["first", "shifted"]),
    "average elsewhere": average_goes_elsewhere,
    "average out of the graph": lambda: model([pool(2), convolution("pooled", "first")], outputs=["first", "pooled"]),
    "average cuts rows off": lambda: model([pool(2), convolution("pooled", "first")], height=15),
    "average of unknown rows": lambda: model([pool(2), convolution("pooled", "first")], height="rows"),
    "average overlaps": lambda: model([pool(2, strides=[1, 1]), convolution("pooled", "first")]),
    "average with a border": lambda: model([pool(2, pads=[1, 1, 1, 1]), convolution("pooled", "first")]),
    "average not square": lambda: model([pool(2, kernel_shape=[2, 1], strides=[2, 1]), convolution("pooled", "first")]),
    "groups": lambda: model([convolution("image", "first", group=3)]),
    "dilation": lambda: model([pool(2), convolution("pooled", "first", dilations=[2, 2])]),
    "border of its own choice": lambda: model(
        [pool(2), convolution("pooled", "first", auto_pad="SAME_UPPER", pads=None)]
    ),
    "computed weight": computed_weight,
    "no colour order": without_colour_order,
    "a colour twice": lambda: model([convolution("image", "first")], held={"bgr_to_rgb": np.array([2, 1, 1])}),
    "mean minus picture": subtracted_the_other_way,
    "one deviation": lambda: model(
        [convolution("image", "first")], held={"std": np.full((1, 1, 1, 1), 255, np.float32)}
    ),
}


@pytest.mark.parametrize("why", LEFT_ALONE)
def test_what_cannot_be_folded_is_left_as_it_is(why: str) -> None:
    graph = LEFT_ALONE[why]()
    onnx.checker.check_model(graph, full_check=True)
    left = RemoveUnusedNodesPass()(ir.from_proto(graph)).model
    before = ir.to_proto(left).SerializeToString(deterministic=True)
    fold_picture(left)
    assert ir.to_proto(left).SerializeToString(deterministic=True) == before
