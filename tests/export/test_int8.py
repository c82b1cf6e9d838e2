"""INT8 graphs: scales by hand, the layer that suffers found and left out, and when there is no int8."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray

from clipdepth.bundle.agreement import Agreement, Tolerance
from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.golden import Golden
from clipdepth.cli import main
from clipdepth.errors import VerificationError
from clipdepth_export.calibration import activation_ranges
from clipdepth_export.gate import judge
from clipdepth_export.int8.layers import quantizable
from clipdepth_export.int8.search import quantize
from clipdepth_export.int8.tensorrt import TensorRtQuantizer
from clipdepth_export.reference import silently
from clipdepth_export.variants import feeds
from small_graphs import constants, convolutions, expected, frames

Weights = list[NDArray[np.float32]]


def quantizer(path: Path, weights: Weights, pictures: NDArray[np.uint8]) -> TensorRtQuantizer:
    graph = convolutions(path / "g.onnx", weights)
    return TensorRtQuantizer(onnx.load(graph), activation_ranges(graph, feeds(golden(pictures, weights))))


def golden(pictures: NDArray[np.uint8], weights: Weights) -> Golden:
    depth = expected(pictures, weights).astype(np.float32)
    return Golden(pictures, depth, np.zeros_like(depth))


def test_symmetric_int8_with_a_scale_for_each_channel(tmp_path: Path) -> None:
    weights = [np.array([[0.5, -2.0, 0.1], [0.01, 0.02, 0.03]], np.float32), np.array([[1.0, 50.0]], np.float32)]
    quantize_layers = quantizer(tmp_path, weights, frames(8))
    held = constants(quantize_layers(quantize_layers.layers))
    scale = held["layer0.weight_scale"]
    np.testing.assert_allclose(scale, [2.0 / 127, 0.03 / 127], rtol=1e-6)
    assert held["layer0.weight_quantized"].dtype == np.int8
    rounded = np.rint(weights[0] / np.array([[2.0 / 127], [0.03 / 127]]))
    np.testing.assert_array_equal(held["layer0.weight_quantized"][..., 0, 0], rounded)
    assert not held["layer0.weight_zero_point"].any()
    assert held["x0_scale"] == pytest.approx(1 / 127, rel=0.01), "the picture's range is 0 to 1"
    assert held["x0_zero_point"] == 0
    assert held["x0_zero_point"].dtype == np.int8


def test_depth_is_that_of_rounded_numbers(tmp_path: Path) -> None:
    """One layer: sum of round(127 x) · round(w / s) times both scales, computed in float64."""
    weights = [np.array([[0.3, -0.7, 1.1]], np.float32)]
    make = quantizer(tmp_path, weights, frames(8))
    model = make(make.layers)
    held = constants(model)
    picture = frames(2, seed=5)
    x_scale, w_scale = float(held["x0_scale"]), float(held["layer0.weight_scale"][0])
    x = np.clip(np.rint(picture / 255 / x_scale), -128, 127)
    w = np.rint(weights[0] / w_scale)
    by_hand = ((x @ w.T)[..., 0] * x_scale * w_scale + 0.5).astype(np.float32)
    assert judge(model, Golden(picture, by_hand, np.zeros_like(by_hand)), Tolerance(1e-5)).passed


def test_biases_stay_float_and_nothing_comes_out_of_a_layer_quantised(export_once, many: Path) -> None:  # type: ignore[no-untyped-def]
    """TensorRT refuses an int32 bias through DequantizeLinear."""
    bundle = export_once("edge")
    model = onnx.load(bundle.graph("fp32"))
    ranges = activation_ranges(bundle.graph("fp32"), feeds(bundle.golden()))
    quantize_layers = TensorRtQuantizer(model, ranges)
    quantized = quantize_layers(quantize_layers.layers)
    held = {tensor.name: tensor for tensor in quantized.graph.initializer}
    layers = [node for node in quantized.graph.node if node.op_type == "Conv"]
    assert layers
    made = {tensor: node for node in quantized.graph.node for tensor in node.output}
    for node in layers:
        assert [made[tensor].op_type for tensor in node.input[:2]] == ["DequantizeLinear"] * 2
        assert held[node.input[2]].data_type == onnx.TensorProto.FLOAT
        readers = {other.op_type for other in quantized.graph.node if node.output[0] in other.input}
        takes_it = {other.op_type for other in model.graph.node if node.output[0] in other.input}
        # Quantised only as what goes into the next layer, where that follows at once.
        assert readers == {"QuantizeLinear" if reader == "Conv" else reader for reader in takes_it}
    assert {tensor.data_type for tensor in held.values()} <= {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.INT8,
        onnx.TensorProto.INT64,
    }


def hostile() -> Weights:
    """Four layers, the third of which takes two small channels and a thousand times larger one, which counts little."""
    rng = np.random.default_rng(3)
    first = rng.uniform(0.2, 1, (3, 3)).astype(np.float32)
    second = np.diag([1, 1, 1000]).astype(np.float32)
    third = np.array([[0.5, 0.2, 1e-4], [0.3, 0.9, 1e-4]], np.float32)
    return [first, second, third, np.array([[0.6, 0.8]], np.float32)]


def choose(path: Path, weights: Weights, tolerance: float) -> tuple[list[str], onnx.ModelProto]:
    reference = golden(frames(16, seed=2), weights)

    def judged(model: onnx.ModelProto, probe: bool) -> Agreement:
        return judge(model, reference.at(range(2)) if probe else reference, Tolerance(tolerance))

    made = quantize(quantizer(path, weights, frames(64)), judged, silently)
    assert judge(made.model, reference, Tolerance(tolerance)).passed
    assert all("it alone changes depth by" in exclusion.reason for exclusion in made.excluded)
    return [exclusion.layer for exclusion in made.excluded], made.model


def test_the_layer_that_suffers_is_found_and_left_in_fp32(tmp_path: Path) -> None:
    excluded, model = choose(tmp_path, hostile(), 0.02)
    assert excluded == ["layer2"]
    assert "layer2.weight" in constants(model)
    assert {f"layer{index}.weight_quantized" for index in (0, 1, 3)} <= set(constants(model))


def test_no_layer_is_left_out_where_the_tolerance_holds(tmp_path: Path) -> None:
    assert choose(tmp_path, hostile(), 0.9)[0] == []


def test_more_than_half_in_fp32_is_no_int8(tmp_path: Path) -> None:
    weights = [*hostile()[:3], *hostile()[3:]]
    with pytest.raises(VerificationError, match=r"more than half of 4 layers out; .*: layer2 \(0\.\d+\), layer"):
        choose(tmp_path, weights, 1e-7)


def test_products_of_two_activations_and_sensitive_layers_stay_in_fp32(exported: Bundle) -> None:
    model = onnx.load(exported.graph("fp32"))
    weights = {tensor.name for tensor in model.graph.initializer}
    layers = {node.name: node for node in model.graph.node}
    chosen = quantizable(ir.from_proto(model).graph)
    assert chosen
    assert all(layers[name].input[1] in weights for name in chosen)
    assert all(layers[name].op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul") for name in chosen)


def test_int8_needs_64_training_frames(edge: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(edge.path.with_suffix(""))
    assert main(["export", run, "--out", str(tmp_path / "x.bundle"), "--precision", "fp32", "int8"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "int8 is calibrated on 64 frames at least, " in err
    assert "rooms-pairs has 2; give others with --data" in err
    assert list(tmp_path.iterdir()) == []
