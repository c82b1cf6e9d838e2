"""Weights on int8's grid whose kernels keep their sums."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from clipdepth_export.int8.rounding import keep_sums, round_kernels


def kernels(outputs: int, inputs: int, side: int, seed: int = 0) -> NDArray[np.float32]:
    """Random kernels, each channel of its own size, the first of which are edge filters: they sum to 0."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(outputs, inputs, side, side)) * rng.uniform(0.01, 10, (outputs, 1, 1, 1))
    if side > 1:
        weight[: outputs // 2] -= weight[: outputs // 2].mean(axis=(2, 3), keepdims=True)
    return weight.astype(np.float32)


def step_of(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """int8's step for each output, (O, 1, 1, 1)."""
    return np.abs(weight.astype(np.float64)).max(axis=(1, 2, 3), keepdims=True) / 127


@pytest.mark.parametrize("shape", [(32, 3, 3), (16, 1, 5), (8, 4, 6), (4, 2, 1)])
def test_sums_are_kept_to_half_a_step_and_weights_to_one(shape: tuple[int, int, int]) -> None:
    weight = kernels(*shape)
    rounded, step = keep_sums(weight), step_of(weight)
    levels = rounded / step
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
    assert np.abs(levels).max() <= 127 + 1e-3
    assert (np.abs(rounded - weight) <= step * 1.001).all()
    lost = (rounded.astype(np.float64) - weight).sum(axis=(2, 3))
    assert (np.abs(lost) <= step[:, :, 0, 0] * 0.502).all()


def test_most_weights_take_the_nearest_step() -> None:
    weight = kernels(64, 8, 3)
    nearest = np.rint(weight / step_of(weight)) * step_of(weight)
    assert np.isclose(keep_sums(weight), nearest, rtol=1e-5, atol=1e-9).mean() > 0.85


def test_the_largest_weight_of_a_channel_and_with_it_the_step_stay() -> None:
    weight = kernels(16, 4, 3)
    np.testing.assert_allclose(step_of(keep_sums(weight)), step_of(weight), rtol=1e-6)
    np.testing.assert_allclose(keep_sums(keep_sums(weight)), keep_sums(weight), rtol=1e-5, atol=1e-9)


def test_an_edge_filter_still_gives_nothing_on_a_bright_wall() -> None:
    weight = kernels(32, 3, 3)[:16]
    nearest = np.rint(weight / step_of(weight)) * step_of(weight)
    wall = 200.0
    leaks = [np.abs((found * wall).sum(axis=(1, 2, 3)) / step_of(weight)[:, 0, 0, 0]) for found in (nearest, weight)]
    assert leaks[0].mean() > 100
    assert leaks[1].max() < 1
    assert (np.abs((keep_sums(weight) * wall).sum(axis=(1, 2, 3))) < 1e-3).all()


def test_channels_of_zeros_stay_zeros() -> None:
    weight = kernels(4, 2, 3)
    weight[1] = 0
    assert not keep_sums(weight)[1].any()
    assert np.isfinite(keep_sums(weight)).all()


def test_in_a_graph_only_kernels_of_several_pixels_change() -> None:
    wide, point = kernels(4, 3, 3), kernels(5, 4, 1, seed=1)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "wide"], ["y"], pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["y", "point"], ["z"]),
        ],
        "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 5, 8, 8])],
        [numpy_helper.from_array(wide, "wide"), numpy_helper.from_array(point, "point")],
    )
    model = helper.make_model(graph)
    onnx.checker.check_model(model)
    rounded = ir.from_proto(model)
    round_kernels(rounded.graph)
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in ir.to_proto(rounded).graph.initializer}
    np.testing.assert_array_equal(found["point"], point)
    np.testing.assert_array_equal(found["wide"], keep_sums(wide))
    assert np.abs(found["wide"] - wide).max() > 0
