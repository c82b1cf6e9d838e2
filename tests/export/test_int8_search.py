"""The choice of int8 layers: the one that suffers found and left out, and when there is no int8."""

from collections.abc import Callable, Sequence
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
from clipdepth_export.gate import judge
from clipdepth_export.int8.cpu import CpuQuantizer
from clipdepth_export.int8.layers import quantizable
from clipdepth_export.int8.search import quantize
from clipdepth_export.reference import silently
from measured import measured
from small_graphs import constants, convolutions, expected, frames

Weights = list[NDArray[np.float32]]


def quantizer(path: Path, weights: Weights, pictures: NDArray[np.uint8]) -> CpuQuantizer:
    graph = convolutions(path / "g.onnx", weights)
    return CpuQuantizer(onnx.load(graph), measured(graph, golden(pictures, weights)))


def golden(pictures: NDArray[np.uint8], weights: Weights) -> Golden:
    depth = expected(pictures, weights).astype(np.float32)
    return Golden(pictures, depth, np.zeros_like(depth))


def hostile() -> Weights:
    """Four layers, the third of which takes two small channels and a thousand times larger one, which counts little."""
    rng = np.random.default_rng(3)
    first = rng.uniform(0.2, 1, (3, 3)).astype(np.float32)
    second = np.diag([1, 1, 1000]).astype(np.float32)
    third = np.array([[0.5, 0.2, 1e-4], [0.3, 0.9, 1e-4]], np.float32)
    return [first, second, third, np.array([[0.6, 0.8]], np.float32)]


def choose(
    path: Path, weights: Weights, tolerance: float, elsewhere: Callable[[Sequence[str]], bool] = lambda _: True
) -> tuple[list[str], onnx.ModelProto]:
    reference = golden(frames(16, seed=2), weights)

    def judged(model: onnx.ModelProto, probe: bool) -> Agreement:
        return judge(model, reference.at(range(2)) if probe else reference, Tolerance(tolerance))

    made = quantize(quantizer(path, weights, frames(64)), judged, silently, elsewhere)
    assert judge(made.model, reference, Tolerance(tolerance)).passed
    assert all("it alone changes depth by" in exclusion.reason for exclusion in made.excluded)
    return [exclusion.layer for exclusion in made.excluded], made.model


def test_the_layers_that_suffer_are_found_and_left_out(tmp_path: Path) -> None:
    """That which takes channels so unlike, and that which makes them, whose output is rounded too."""
    excluded, model = choose(tmp_path, hostile(), 0.02)
    assert excluded == ["layer2", "layer1"]
    assert {"layer1.weight", "layer2.weight"} <= set(constants(model))
    assert {f"layer{index}.weight_quantized" for index in (0, 3)} <= set(constants(model))


def test_no_layer_is_left_out_where_the_tolerance_holds(tmp_path: Path) -> None:
    assert choose(tmp_path, hostile(), 0.9)[0] == []


def test_a_layer_that_another_size_refuses_is_left_out(tmp_path: Path) -> None:
    excluded, model = choose(tmp_path, hostile(), 0.9, lambda layers: len(layers) < 4)
    assert excluded == ["layer2"]
    assert "layer2.weight" in constants(model)


def test_few_are_left_out_although_more_do_worse_by_chance(tmp_path: Path) -> None:
    assert choose(tmp_path, hostile(), 0.9, lambda layers: len(layers) == 3)[0] == ["layer2"]


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
