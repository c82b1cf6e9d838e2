"""Bilinear resizes of one channel as matrix products, held to PyTorch's own."""

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
from clipdepth_export.upsampling import banded, interpolation, upsample_by_products
from small_graphs import constants

Size = tuple[int, int]
PRODUCTS = ["Einsum", "Gather", "Einsum", "Reshape"]
"""At every size, since the graphs of one bundle have the same operators."""
SIZES: list[tuple[Size, Size]] = [
    ((6, 8), (24, 32)),
    ((3, 4), (24, 32)),
    ((5, 7), (17, 30)),
    ((4, 4), (5, 4)),
    ((1, 3), (8, 1)),
    ((16, 9), (7, 4)),
]
"""Four times, eight times, no whole number, hardly and not at all, from one row and to one column, smaller."""
BILINEAR: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


def model(
    before: Size = (6, 8),
    after: Size = (24, 32),
    *,
    channels: int = 1,
    batch: int | str = 1,
    infer: bool = True,
    inputs: tuple[str, ...] = ("x", "", "", "sizes"),
    sizes: Sequence[int] | None = None,
    **settings: Any,
) -> onnx.ModelProto:
    """From `frame` over `x`, its resize `y` and the negative of that to `depth`."""
    held: dict[str, NDArray[Any]] = {
        "sizes": np.array(sizes or (1, channels, *after)),
        "scales": np.array([1, 1, after[0] / before[0], after[1] / before[1]], np.float32),
    }
    nodes = [
        helper.make_node("Neg", ["frame"], ["x"], name="in"),
        helper.make_node("Resize", list(inputs), ["y"], name="resize", **{**BILINEAR, **settings}),
        helper.make_node("Neg", ["y"], ["depth"], name="out"),
    ]
    graph = helper.make_graph(
        nodes,
        "upsampling",
        [helper.make_tensor_value_info("frame", TensorProto.FLOAT, [batch, channels, *before])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [batch, channels, *after])],
        [numpy_helper.from_array(held[name], name) for name in inputs if name in held],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(made, strict_mode=True) if infer else made


def by_products(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A rewritten copy, checked."""
    copy = ir.from_proto(graph)
    upsample_by_products(copy)
    made = ir.to_proto(copy)
    onnx.checker.check_model(made, full_check=True)
    return made


def operators(graph: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in graph.graph.node]


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).uniform(0.3, 10, shape).astype(np.float32)


def bilinear(values: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    return F.interpolate(torch.from_numpy(values), size, mode="bilinear", align_corners=False).numpy()


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_two_products_give_pytorchs_bilinear_resize(before: Size, after: Size) -> None:
    graph = by_products(model(before, after))
    assert operators(graph) == ["Neg", *PRODUCTS, "Neg"]
    assert "sizes" not in constants(graph)
    depth = noise(1, 1, *before)
    (found,) = open_session(graph).run(None, {"frame": depth})
    np.testing.assert_allclose(found, bilinear(depth, after), rtol=2e-6)


@pytest.mark.parametrize(("before", "after", "bands"), [((60, 8), (240, 32), 12), ((7, 3), (44, 9), 2)])
def test_many_rows_are_made_in_bands_of_those_that_they_need(before: Size, after: Size, bands: int) -> None:
    graph = by_products(model(before, after, batch="batch"))
    assert operators(graph) == ["Neg", *PRODUCTS, "Neg"]
    (places,) = [tensor.dims for tensor in graph.graph.initializer if tensor.name.endswith("_places")]
    assert places[0] == bands
    depth = noise(2, 1, *before)
    (found,) = open_session(graph).run(None, {"frame": depth})
    np.testing.assert_allclose(found, bilinear(depth, after), rtol=2e-6)


@pytest.mark.parametrize(("size", "larger"), [(60, 240), (48, 192), (80, 320), (33, 100), (100, 60), (1, 40), (5, 23)])
def test_bands_are_the_matrix(size: int, larger: int) -> None:
    matrix = interpolation(size, larger)
    places, bands = banded(matrix)
    whole = np.zeros((len(bands), larger // len(bands), size))
    for band, columns, part in zip(whole, places, bands, strict=True):
        band[:, columns] = part
    np.testing.assert_array_equal(whole.reshape(larger, size), matrix)


def batched() -> onnx.ModelProto:
    """As torch writes it: the size is a concat of the batch's, which is read off the tensor, and of constants."""
    graph = model(batch="batch", infer=False).graph
    read = helper.make_node("Shape", ["x"], ["batch_and_channels"], name="shape", start=0, end=2)
    joined = helper.make_node("Concat", ["batch_and_channels", "sides"], ["sizes"], name="concat", axis=0)
    nodes = [graph.node[0], read, joined, *graph.node[1:]]
    made = helper.make_model(
        helper.make_graph(
            nodes, "g", graph.input, graph.output, [numpy_helper.from_array(np.array([24, 32]), "sides")]
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    made = onnx.shape_inference.infer_shapes(made, strict_mode=True, data_prop=True)
    found = {value.name: value for value in made.graph.value_info}["y"].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in found] == [0, 1, 24, 32]
    return made


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_of_any_size(count: int) -> None:
    graph = by_products(batched())
    assert operators(graph) == ["Neg", *PRODUCTS, "Neg"], "nothing is left of what told the size"
    assert graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    depth = noise(count, 1, 6, 8)
    (found,) = open_session(graph).run(None, {"frame": depth})
    np.testing.assert_allclose(found, bilinear(depth, (24, 32)), rtol=2e-6)


@pytest.mark.parametrize(("size", "larger"), [(6, 24), (5, 17), (7, 7), (1, 4), (9, 2), (120, 240)])
def test_each_row_is_a_mean_of_two_neighbours_at_most(size: int, larger: int) -> None:
    matrix = interpolation(size, larger)
    assert matrix.shape == (larger, size)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert matrix.min() >= 0
    for row in matrix:
        places = np.flatnonzero(row)
        assert places.max() - places.min() <= 1


def test_a_line_stays_a_line_between_the_outermost_centres() -> None:
    """The centre of pixel i of 20 is at (i + 0.5) / 4 - 0.5 of 5: between the ends that is what is found there."""
    places = (np.arange(20) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(interpolation(5, 20) @ np.arange(5), places.clip(0, 4), atol=1e-6)


def test_as_many_pixels_as_before_stay_as_they_are() -> None:
    np.testing.assert_array_equal(interpolation(6, 6), np.eye(6))


def of_unknown_shape() -> onnx.ModelProto:
    """Without the shapes of tensors on the way."""
    return model(infer=False)


def forget(tensor: str, dimension: int) -> onnx.ModelProto:
    graph = model()
    for value in (value for value in graph.graph.value_info if value.name == tensor):
        value.type.tensor_type.shape.dim[dimension].Clear()
    return graph


LEFT_ALONE: dict[str, Callable[[], onnx.ModelProto]] = {
    "corners aligned": lambda: model(coordinate_transformation_mode="align_corners"),
    "asymmetric": lambda: model(coordinate_transformation_mode="asymmetric"),
    "nearest": lambda: model(mode="nearest"),
    "cubic": lambda: model(mode="cubic"),
    "of its default kind, nearest": lambda: _without(model(), "mode"),
    "antialiased": lambda: model((16, 16), (5, 5), antialias=1),
    "the sides' ratio kept": lambda: model(
        (6, 8), (23, 30), sizes=(24, 30), axes=[2, 3], keep_aspect_ratio_policy="not_larger"
    ),
    "more channels": lambda: model(channels=3),
    "by a factor": lambda: model(inputs=("x", "", "scales")),
    "by a factor, its size left out": lambda: model(inputs=("x", "", "scales", "")),
    "shapes unknown": of_unknown_shape,
    "height unknown": lambda: forget("x", 2),
    "width unknown": lambda: forget("x", 3),
    "channels unknown": lambda: forget("x", 1),
    "height to be unknown": lambda: forget("y", 2),
    "width to be unknown": lambda: forget("y", 3),
}


def _without(graph: onnx.ModelProto, name: str) -> onnx.ModelProto:
    (node,) = (node for node in graph.graph.node if node.op_type == "Resize")
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)
    return graph


@pytest.mark.parametrize("why", LEFT_ALONE)
def test_any_other_resize_is_left_as_it_is(why: str) -> None:
    graph = RemoveUnusedNodesPass()(ir.from_proto(LEFT_ALONE[why]())).model
    before = ir.to_proto(graph).SerializeToString(deterministic=True)
    upsample_by_products(graph)
    assert ir.to_proto(graph).SerializeToString(deterministic=True) == before


def test_the_exported_depth_is_upsampled_by_products(export_once: Callable[[str], Bundle]) -> None:
    graph = onnx.load(export_once("edge").graph("fp32"))
    assert operators(graph)[-6:-2] == PRODUCTS
    assert operators(graph).count("Einsum") == 2
    assert operators(graph).count("Resize") == 3, "the pyramid's, of many channels"
