"""int8 placed for processors: numbers by hand, what runs in int8 on both engines, and the frame's bytes as they are."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.onnx_file import OnnxFile
from clipdepth.engines.onnxruntime_cpu import load_graph
from clipdepth.engines.operations import count_precisions
from clipdepth.engines.precisions import Precisions
from clipdepth_export.calibration import open_session
from clipdepth_export.int8.cpu import CpuQuantizer
from clipdepth_export.variants import feeds
from measured import measured
from small_graphs import HEIGHT, WIDTH, constants, frames, save

openvino = pytest.importorskip("openvino")

Array = NDArray[np.float32]


def place(graph: Path, pictures: Golden, path: Path) -> onnx.ModelProto:
    """The graph of `graph`, int8 throughout, calibrated on `pictures` and written to `path`."""
    quantizer = CpuQuantizer(onnx.load(graph), measured(graph, pictures))
    model = quantizer(quantizer.layers)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return model


def golden(count: int = 64) -> Golden:
    unknown = np.zeros((count, HEIGHT, WIDTH), np.float32)
    return Golden(frames(count), unknown, unknown)


def what_ran(path: Path) -> Precisions:
    """On ONNX Runtime."""
    with closing(load_graph(path, 1)) as engine:
        return count_precisions(engine.operations(), OnnxFile(path).nodes)


def run(model: onnx.ModelProto, picture: NDArray[np.uint8]) -> Array:
    depth: Array = open_session(model).run(["depth"], {"frame": picture})[0]
    return depth


def two_layers(path: Path, mean: Sequence[float], pads: int = 0) -> Path:
    """frame - mean → 1×1 convolution → ReLU → 1×1 convolution, on the planes of a picture."""
    rng = np.random.default_rng(4)
    kernel = 1 + 2 * pads
    held = {
        "mean": np.array(mean, np.float32).reshape(3, 1, 1),
        "first.weight": rng.uniform(-0.01, 0.02, (8, 3, kernel, kernel)).astype(np.float32),
        "first.bias": rng.uniform(0.5, 1, 8).astype(np.float32),
        "last.weight": rng.uniform(0.1, 1, (1, 8, 1, 1)).astype(np.float32),
        "last.bias": np.array([0.3], np.float32),
        "one": np.array([1]),
    }
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], name="transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["planes", "mean"], ["x0"], name="sub"),
        helper.make_node("Conv", ["x0", "first.weight", "first.bias"], ["y0"], name="conv0", pads=[pads] * 4),
        helper.make_node("Relu", ["y0"], ["x1"], name="relu"),
        helper.make_node("Conv", ["x1", "last.weight", "last.bias"], ["y1"], name="conv1"),
        helper.make_node("Squeeze", ["y1", "one"], ["depth"], name="squeeze"),
    ]
    return save(path, nodes, held)


def test_depth_is_that_of_numbers_rounded_by_hand(tmp_path: Path) -> None:
    """In float64: bytes less the zero point, weights and biases on their grids, 256 levels after each layer."""
    model = place(two_layers(tmp_path / "g.onnx", [127.0] * 3), golden(), tmp_path / "q.onnx")
    held = {name: value.astype(np.float64) for name, value in constants(model).items()}
    biases = {"first": "conv0_whole_bias_quantized", "last": "last.bias_quantized"}
    picture = frames(1, seed=9)

    def layer(x: NDArray[np.float64], name: str, x_step: float, out: str) -> NDArray[np.float64]:
        weight_step = held[f"{name}.weight_scale"]
        weight = held[f"{name}.weight_quantized"][..., 0, 0] * weight_step[:, None]
        y = x @ weight.T + held[biases[name]] * weight_step * x_step
        step, zero = held[f"{out}_scale"], held[f"{out}_zero_point"]
        return np.asarray((np.clip(np.rint(y / step) + zero, 0, 255) - zero) * step)

    first = layer(picture.astype(np.float64) - 127, "first", 1.0, "x1")
    expected = layer(first, "last", float(held["x1_scale"]), "y1")[..., 0]
    levels = np.abs(run(model, picture) - expected) / held["y1_scale"]
    assert (levels < 0.01).mean() > 0.99
    assert levels.max() < 1.01, "a value half-way between two levels may go to either"


def test_what_comes_out_of_a_relu_has_all_256_levels(tmp_path: Path) -> None:
    model = place(two_layers(tmp_path / "g.onnx", [127.0] * 3), golden(), tmp_path / "q.onnx")
    held = constants(model)
    assert held["x1_zero_point"] == 0
    assert held["x1_zero_point"].dtype == np.uint8
    assert not [node for node in model.graph.node if node.op_type == "Relu"], "its rounding cuts off what is negative"


@pytest.mark.parametrize(("mean", "pads"), [(127.0, 0), (127.5, 0), (127.5, 1), (116.3, 1)])
def test_a_frames_bytes_go_into_the_first_layer_as_they_are(tmp_path: Path, mean: float, pads: int) -> None:
    graph = two_layers(tmp_path / "g.onnx", [mean] * 3, pads)
    model = place(graph, golden(), tmp_path / "q.onnx")
    assert [node.op_type for node in model.graph.node if "frame" in node.input] == ["Transpose"]
    assert not {"Cast", "Sub"} & {node.op_type for node in model.graph.node}
    picture = frames(4, seed=5)
    exact, found = (np.concatenate([run(m, one[None]) for one in picture]) for m in (onnx.load(graph), model))
    assert np.abs(found - exact).mean() < 0.01 * np.abs(exact).mean()


def test_means_that_no_whole_number_is_near_are_subtracted_where_a_convolution_has_a_border(tmp_path: Path) -> None:
    imagenet = [123.675, 116.28, 103.53]
    for pads, takes_bytes in ((0, True), (1, False)):
        model = place(two_layers(tmp_path / "g.onnx", imagenet, pads), golden(), tmp_path / "q.onnx")
        assert ("Sub" not in {node.op_type for node in model.graph.node}) == takes_bytes


@pytest.fixture
def placed(exported: Bundle, tmp_path: Path) -> Path:
    """Every kind of model's graph, int8 throughout."""
    path = tmp_path / "placed.onnx"
    place(exported.graph("fp32"), exported.golden(), path)
    return path


def test_every_layer_runs_in_int8_on_onnx_runtime(placed: Path) -> None:
    strayed = set(what_ran(placed).strayed)
    assert strayed <= {"node_linear_1"}, "the adapter alone: no product is fused with a ReLU after it"


def test_openvino_computes_what_onnx_runtime_does(placed: Path, exported: Bundle) -> None:
    """Its int8 convolutions after a concat of signed numbers were wrong by 10 to 30%."""
    compiled = openvino.Core().compile_model(placed, "CPU", {"EXECUTION_MODE_HINT": "ACCURACY"})
    sessions = [open_session(path) for path in (exported.graph("fp32"), placed)]
    for feed in feeds(exported.golden()):
        exact, ours = (session.run(["depth"], feed)[0] for session in sessions)
        lost = [np.abs(found - exact).mean() / np.abs(exact).mean() for found in (ours, compiled(feed)["depth"])]
        assert lost[1] < 1.25 * lost[0] + 0.01, "no more than rounding costs"


def test_a_residual_sum_between_layers_is_in_int8_too(export_once: Callable[[str], Bundle], tmp_path: Path) -> None:
    bundle = export_once("mobile")
    model = place(bundle.graph("fp32"), bundle.golden(), tmp_path / "q.onnx")
    made = {tensor: node.op_type for node in model.graph.node for tensor in node.output}
    sums = [node for node in model.graph.node if node.op_type == "Add"]
    quantised = [node for node in sums if {made.get(tensor) for tensor in node.input} == {"DequantizeLinear"}]
    assert quantised
    for node in quantised:
        assert [user.op_type for user in model.graph.node if node.output[0] in user.input] == ["QuantizeLinear"]


def linear(path: Path) -> Path:
    """frame → a token of three colours for each pixel → linear layer with a bias → their mean."""
    rng = np.random.default_rng(2)
    held = {
        "white": np.float32(255),
        "tokens": np.array([1, HEIGHT * WIDTH, 3]),
        "fc.weight": rng.uniform(-1, 1, (3, 16)).astype(np.float32),
        "fc.bias": rng.uniform(-1, 1, 16).astype(np.float32),
        "picture": np.array([1, HEIGHT, WIDTH, 16]),
        "last": np.array([-1]),
    }
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "tokens"], ["flat"], name="flatten"),
        helper.make_node("Div", ["flat", "white"], ["x"], name="div"),
        helper.make_node("MatMul", ["x", "fc.weight"], ["product"], name="fc"),
        helper.make_node("Add", ["product", "fc.bias"], ["y"], name="bias"),
        helper.make_node("Erf", ["y"], ["active"], name="active"),
        helper.make_node("Reshape", ["active", "picture"], ["image"], name="unflatten"),
        helper.make_node("ReduceMean", ["image", "last"], ["depth"], name="mean", keepdims=0),
    ]
    return save(path, nodes, held)


def test_a_linear_layer_multiplies_in_int8_and_answers_in_fp32(tmp_path: Path) -> None:
    graph, path = linear(tmp_path / "g.onnx"), tmp_path / "q.onnx"
    model = place(graph, golden(), path)
    assert dict(what_ran(path).layers) == {"int8": 1}
    held = constants(model)
    step = held["fc.weight_scale"] * held["x_scale"]
    np.testing.assert_allclose(held["fc_bias"] * step, constants(onnx.load(graph))["fc.bias"], atol=step.max() / 2)
    assert held["fc_bias"].dtype == np.int32
    picture = frames(1, seed=3)
    np.testing.assert_allclose(run(model, picture), run(onnx.load(graph), picture), atol=0.01)


@pytest.mark.parametrize(("second", "moved"), [(False, True), (True, False)])
def test_a_transpose_is_of_int8_where_nothing_else_takes_the_restored(
    tmp_path: Path, second: bool, moved: bool
) -> None:
    graph = two_layers(tmp_path / "g.onnx", [127.0] * 3)
    model = onnx.load(graph)
    (squeeze,) = (node for node in model.graph.node if node.op_type == "Squeeze")
    model.graph.node.remove(squeeze)
    last = helper.make_node("Squeeze", ["rows", "last"], ["depth"], name="squeeze")
    way = [helper.make_node("Transpose", ["y1"], ["rows"], name="rows", perm=[0, 2, 3, 1])]
    if second:
        beside = [helper.make_node("Erf", ["y1"], ["erf"]), helper.make_node("ReduceMean", ["erf"], ["average"])]
        way += [*beside, helper.make_node("Add", ["rows", "average"], ["both"], name="both")]
        last.input[0] = "both"
    held = {**constants(model), "last": np.array([3])}
    del held["one"]
    graph = save(tmp_path / "t.onnx", [*model.graph.node, *way, last], held)
    placed = place(graph, golden(), tmp_path / "q.onnx")
    made = {tensor: node.op_type for node in placed.graph.node for tensor in node.output}
    (rows,) = (node for node in placed.graph.node if node.op_type == "Transpose" and node.input[0] != "frame")
    assert (made[rows.input[0]] == "QuantizeLinear") == moved
    picture = frames(1, seed=8)
    exact = run(onnx.load(graph), picture)
    assert np.abs(run(placed, picture) - exact).mean() < 0.01 * np.abs(exact).mean()
