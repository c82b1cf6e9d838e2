"""Int8 graphs for TensorRT: numbers by hand, which tensors are int8, and the types that TensorRT's parser sees."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, helper
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData

from clipdepth.bundle.agreement import Tolerance
from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.graph_check import graph_problem
from clipdepth.engines.tensorrt.build import build_plan
from clipdepth.engines.tensorrt.network import parse_graph
from clipdepth.engines.tensorrt.precisions import holds, network_precisions
from clipdepth_export.calibration import activation_ranges, largest_values, open_session
from clipdepth_export.gate import judge
from clipdepth_export.graph import save_graph
from clipdepth_export.half import rounded
from clipdepth_export.int8.layers import quantizable
from clipdepth_export.int8.tensorrt import place
from clipdepth_export.topology import ARITHMETIC, nodes_of, sensitive
from clipdepth_export.variants import feeds
from small_graphs import constants, frames, save

pytest_plugins = ["tensorrt_cpu.plugin"]
Weights = Mapping[str, NDArray[np.float32]]

RNG = np.random.default_rng(5)
WEIGHTS: Weights = {
    "before": RNG.normal(size=(4, 3)).astype(np.float32),
    "block": RNG.normal(size=(4, 4)).astype(np.float32),
    "after": RNG.normal(size=(1, 4)).astype(np.float32),
}
RANGES = {"x": 1.0, "before": 3.0, "block": 6.0, "sum": 7.0, "after": 12.0}


def conv(name: str, tensor: str) -> NodeProto:
    """A 1×1 convolution named like its output; its weight is `name.weight`."""
    return helper.make_node("Conv", [tensor, f"{name}.weight"], [name], name=name)


def node(operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> NodeProto:
    """A node named like its output."""
    return helper.make_node(operator, inputs, [name], name=name, **attributes)


def write(path: Path, nodes: Sequence[NodeProto], last: str, weights: Weights, **more: Any) -> onnx.ModelProto:
    """Write frame → pixels / 255, `x` → nodes → `last`, of one channel → + 0.5 → depth."""
    head = [
        node("Cast", ["frame"], "float", to=onnx.TensorProto.FLOAT),
        node("Transpose", ["float"], "pixels", perm=[0, 3, 1, 2]),
        node("Div", ["pixels", "white"], "x"),
    ]
    tail = [node("Squeeze", [last, "one"], "flat"), node("Add", ["flat", "half"], "depth")]
    kernels = {f"{name}.weight": weight[:, :, None, None] for name, weight in weights.items()}
    fixed = {"white": np.float32(255), "one": np.array([1]), "half": np.float32(0.5), **more}
    return onnx.load(save(path, [*head, *nodes, *tail], {**kernels, **fixed}))


def residual(path: Path, weights: Weights = WEIGHTS) -> onnx.ModelProto:
    """Write before → block, before + block → after."""
    block = [conv("before", "x"), conv("block", "before"), node("Add", ["block", "before"], "sum")]
    return write(path / "g.onnx", [*block, conv("after", "sum")], "after", weights)


def ranges(magnitudes: Mapping[str, float]) -> TensorsData:
    found = {
        name: TensorData(lowest=np.float32(-most), highest=np.float32(most / 2)) for name, most in magnitudes.items()
    }
    return TensorsData(CalibrationMethod.MinMax, found)


def depth(model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = open_session(model)
    return np.concatenate([session.run(None, {"frame": picture[None]})[0] for picture in pictures])


def makers(model: onnx.ModelProto) -> dict[str, NodeProto]:
    return {tensor: node for node in model.graph.node for tensor in node.output}


def taken_as_int8(model: onnx.ModelProto) -> set[tuple[str, str]]:
    """Each node that takes a tensor by way of int8, with the name of that tensor."""
    made = makers(model)
    return {
        (node.name, made[made[tensor].input[0]].input[0])
        for node in model.graph.node
        for tensor in node.input
        if tensor in made and made[tensor].op_type == "DequantizeLinear" and made[tensor].input[0] in made
    }


def scale_of(model: onnx.ModelProto, tensor: str) -> float:
    (quantize,) = (n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == tensor)
    return float(constants(model)[quantize.input[1]])


def to_half(values: NDArray[Any]) -> NDArray[np.float64]:
    return values.astype(np.float16).astype(np.float64)


def to_int8(values: NDArray[Any], step: NDArray[Any] | float) -> NDArray[np.float64]:
    return np.clip(np.rint(values / step), -128, 127) * step


def test_a_residual_block_by_hand(tmp_path: Path) -> None:
    """In float64: steps of range / 127 as halves, sums of products exact, all that is no int8 rounded to half."""
    model = place(residual(tmp_path), ranges(RANGES), ["before", "block", "after"])
    step = {name: float(np.float16(np.float32(most) / np.float32(127))) for name, most in RANGES.items()}
    held = {}
    for name, weight in WEIGHTS.items():
        steps = (np.abs(weight).max(1, keepdims=True) / np.float32(127)).astype(np.float16).astype(np.float64)
        held[name] = to_int8(weight.astype(np.float64), steps)
    pictures = frames(2, seed=3)
    x = to_int8((pictures / np.float32(255)).astype(np.float64), step["x"])
    before = to_half(x @ held["before"].T)
    shortcut = to_int8(before, step["before"])
    block = to_half(shortcut @ held["block"].T)
    total = to_int8(to_half(block + shortcut), step["sum"])
    expected = to_half(total @ held["after"].T)[..., 0] + 0.5
    found = depth(rounded(model), pictures)
    # What lies within float32's error of half-way between two steps may go to either.
    assert (np.abs(found - expected) < 2e-6).mean() > 0.98
    np.testing.assert_allclose(found, expected, rtol=0, atol=3 * max(step.values()))
    assert np.abs(depth(residual(tmp_path), pictures) - found).mean() > 1e-3


def test_the_shortcut_is_int8_and_the_blocks_own_result_is_not(tmp_path: Path) -> None:
    """TensorRT fuses the addition into the kernel of the block's last layer, which then writes int8."""
    model = place(residual(tmp_path), ranges(RANGES), ["before", "block", "after"])
    assert taken_as_int8(model) == {("before", "x"), ("block", "before"), ("sum", "before"), ("after", "sum")}
    assert [n.op_type for n in model.graph.node].count("QuantizeLinear") == 3, "before is quantised once"


def test_of_a_block_and_its_projection_the_projection_is_the_shortcut(tmp_path: Path) -> None:
    nodes = [conv("before", "x"), conv("beside", "before"), conv("block", "before")]
    nodes += [node("Relu", ["block"], "relu"), node("Add", ["beside", "relu"], "sum"), conv("after", "sum")]
    graph = write(tmp_path / "g.onnx", nodes, "after", {**WEIGHTS, "beside": WEIGHTS["block"]})
    model = place(graph, ranges({**RANGES, "beside": 6.0}), ["before", "beside", "block", "after"])
    assert {taken for taken in taken_as_int8(model) if taken[0] == "sum"} == {("sum", "beside")}


@pytest.mark.parametrize(
    ("layers", "why"), [(["before", "block"], "its result is half"), (["before", "after"], "no int8 layer makes it")]
)
def test_an_addition_outside_of_int8_is_half(tmp_path: Path, layers: list[str], why: str) -> None:
    model = place(residual(tmp_path), ranges(RANGES), layers)
    assert "sum" not in {name for name, _ in taken_as_int8(model)}, why


def pooled(path: Path) -> onnx.ModelProto:
    """Write two scales: before → average pool → block → resize beside before → concatenation → max pool → after."""
    nodes = [
        conv("before", "x"),
        node("AveragePool", ["before"], "small", kernel_shape=[2, 2], strides=[2, 2]),
        conv("block", "small"),
        node("Relu", ["block"], "relu"),
        node("Resize", ["relu", "", "", "sizes"], "large", mode="linear"),
        node("Concat", ["large", "before"], "both", axis=1),
        node("MaxPool", ["both"], "pool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        conv("after", "pool"),
    ]
    weights = {**WEIGHTS, "after": RNG.normal(size=(1, 8)).astype(np.float32)}
    return write(path / "g.onnx", nodes, "after", weights, sizes=np.array([1, 4, 6, 8]))


POOLED = {"x": 1.0, "before": 3.0, "small": 2.0, "block": 4.0, "relu": 4.0, "large": 3.8, "both": 3.9, "pool": 3.9}


def test_pools_resizes_and_concatenations_between_int8_layers_are_int8(tmp_path: Path) -> None:
    model = place(pooled(tmp_path), ranges(POOLED), ["before", "block", "after"])
    around = {"small": {"before"}, "large": {"relu"}, "both": {"large", "before"}, "pool": set()}
    taken = taken_as_int8(model)
    assert {name: {tensor for taker, tensor in taken if taker == name} for name in around} == around
    one = {scale_of(model, tensor) for tensor in ("before", "relu", "large")}
    assert one == {float(np.float16(4 / 127))}, "the largest of what is resized, concatenated, or comes of it"
    assert scale_of(model, "small") == float(np.float16(2 / 127))
    assert scale_of(model, "pool") == float(np.float16(np.float32(3.9) / 127))


@pytest.mark.usefixtures("tensorrt")
@pytest.mark.parametrize("write_graph", [residual, pooled])
def test_tensorrt_sees_int8_and_half(tmp_path: Path, write_graph: Callable[[Path], onnx.ModelProto]) -> None:
    layers = ["before", "block", "after"]
    for int8 in (layers, layers[:2]):
        path = tmp_path / "placed.onnx"
        save_graph(place(write_graph(tmp_path), ranges({**RANGES, **POOLED}), int8), path)
        assert graph_problem(path, ()) is None
        parsed = parse_graph(path)
        found = {"int8": len(int8), "fp16": 3 - len(int8)}
        assert dict(network_precisions(parsed).layers) == {name: count for name, count in found.items() if count}
        assert len(build_plan(parsed, 1).engine) > 10_000
        network = [parsed.network.get_layer(index) for index in range(parsed.network.num_layers)]
        kinds = {
            tensor.dtype.name
            for layer in network
            if layer.type.name in ("CONVOLUTION", "POOLING", "RESIZE", "CONCATENATION")
            for tensor in [layer.get_input(0), layer.get_output(0)]
        }
        assert kinds == {"HALF"}


@pytest.mark.usefixtures("tensorrt")
@pytest.mark.parametrize("kind", ["edge", "msa"])
def test_a_model_is_int8_and_half_and_agrees_with_fp32(
    kind: str, export_once: Callable[[str], Bundle], tmp_path: Path
) -> None:
    """No convolution or product is left in fp32 but those that have to be in every precision."""
    bundle = export_once(kind)
    fp32, golden = bundle.graph("fp32"), bundle.golden().at(range(2))
    model = onnx.load(fp32)
    found, largest = activation_ranges(fp32, feeds(golden)), largest_values(fp32, feeds(golden))
    graph = ir.from_proto(model).graph
    layers = quantizable(graph)
    placed = place(model, found, layers, largest)
    save_graph(placed, tmp_path / "placed.onnx")
    parsed = parse_graph(tmp_path / "placed.onnx")
    products = nodes_of(graph, *ARITHMETIC, "Einsum")
    exact = len(sensitive(graph).intersection(products))
    counts = {"int8": len(layers), "fp32": exact, "fp16": len(products) - len(layers) - exact}
    assert dict(network_precisions(parsed).layers) == {name: count for name, count in counts.items() if count}
    assert holds(network_precisions(parsed), "int8")
    assert len(build_plan(parsed, 1).engine) > 10_000
    assert judge(rounded(placed), golden, Tolerance(0.1), bundle.manifest.kind).passed


def test_steps_that_no_half_of_full_precision_holds(tmp_path: Path) -> None:
    """Weights too small for halves change no result by a level, zeros are zeros, and nothing divides by 0."""
    weights = {**WEIGHTS, "block": np.array([[1, 1e-6, 0, 0], [1e-5, -7e-6, 2e-6, 0], [0] * 4, [1e-9] * 4], np.float32)}
    model = place(residual(tmp_path, weights), ranges({**RANGES, "before": 0.0}), ["before", "block", "after"])
    held = constants(model)
    scale = held["block.weight_scale_half"].astype(np.float64)
    assert (scale > 0).all()
    restored = held["block.weight_quantized"][..., 0, 0] * scale[:, None]
    taken, level = 1.5 * RANGES["before"], 1.5 * RANGES["block"] / 255
    off = np.abs(restored - weights["block"])
    assert (off <= np.maximum(scale[:, None] / 2 * 1.001, level / 4 / taken)).all()
    assert (restored[2] == 0).all()
    assert np.isfinite(depth(rounded(model), frames(1))).all()


def test_a_layer_whose_sums_no_half_holds_is_int8_with_fp32_around_it(tmp_path: Path) -> None:
    """White pixels give 3, 3 · 4 · 40,000 in the block, and 19.2 in depth."""
    weights = {"before": np.ones((4, 3)), "block": np.full((4, 4), 4e4), "after": np.full((1, 4), 1e-5)}
    graph = residual(tmp_path, {name: weight.astype(np.float32) for name, weight in weights.items()})
    white = np.full((1, 6, 8, 3), 255, np.uint8)
    layers, known = ["before", "block"], ranges({**RANGES, "block": 5e5, "sum": 5e5})
    safe = place(graph, known, layers, {"block": 4.8e5, "sum": 4.8e5})
    assert ("block", "before") in taken_as_int8(safe)
    np.testing.assert_allclose(depth(rounded(safe), white), 19.2 + 0.5, rtol=2e-3)
    assert not np.isfinite(depth(rounded(place(graph, known, layers)), white)).any()
