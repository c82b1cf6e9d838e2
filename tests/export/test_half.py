"""FP16 graphs: which tensors are half, what stays in fp32, and what overflows."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto

from clipdepth.bundle.agreement import Tolerance
from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.golden import Golden
from clipdepth_export.calibration import largest_values, open_session
from clipdepth_export.gate import answer_to, judge
from clipdepth_export.half import half, rounded
from clipdepth_export.topology import ARITHMETIC, after, nodes_of
from clipdepth_export.variants import feeds
from small_graphs import constants, convolutions, expected, frames


def types(model: onnx.ModelProto) -> dict[str, int]:
    values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    stated = {value.name: value.type.tensor_type.elem_type for value in values}
    return {**stated, **{tensor.name: tensor.data_type for tensor in model.graph.initializer}}


def test_layers_are_half_and_what_suffers_is_not(exported: Bundle) -> None:
    model = half(onnx.load(exported.graph("fp32")))
    onnx.checker.check_model(model, full_check=True)
    kinds = types(model)
    found = {node.op_type: [] for node in model.graph.node}  # type: ignore[var-annotated]
    for node in model.graph.node:
        found[node.op_type].append({kinds[tensor] for tensor in [*node.input[:1], *node.output]})
    for layer in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        assert all(kind == {TensorProto.FLOAT16} for kind in found.get(layer, []))
    for operator in ("Softmax", "ReduceL2", "ReduceSum", "ReduceMean"):
        assert all(kind == {TensorProto.FLOAT} for kind in found.get(operator, []))
    assert [(v.name, v.type.tensor_type.elem_type) for v in model.graph.input] == [("frame", TensorProto.UINT8)]
    assert [(v.name, v.type.tensor_type.elem_type) for v in model.graph.output] == [("depth", TensorProto.FLOAT)]


def test_what_stays_in_fp32_is_not_rounded_on_its_way(exported: Bundle) -> None:
    """No tensor goes to half and straight back, and the picture is cast to half only where the first layers take it."""
    model = half(onnx.load(exported.graph("fp32")))
    maker = {tensor: node for node in model.graph.node for tensor in node.output}
    casts = [node for node in model.graph.node if node.op_type == "Cast"]
    assert not any(node.input[0] in maker and maker[node.input[0]].op_type == "Cast" for node in casts)
    graph = ir.from_proto(model).graph
    picture = set(graph) - after(nodes_of(graph, *ARITHMETIC))
    steps = [node for node in picture if node.op_type != "Cast"]
    assert steps
    assert {node.outputs[0].dtype for node in steps} == {ir.DataType.FLOAT}
    # A transformer's norms and softmaxes are in fp32 between layers in half.
    islands = [node for node in model.graph.node if node.op_type in ("LayerNormalization", "Softmax")][1:]
    assert len(casts) <= 12 + 2 * len(islands)


def test_the_cosine_and_the_depth_it_gives_stay_in_fp32(export_once) -> None:  # type: ignore[no-untyped-def]
    """Of DepthCLIP, everything after the trunk."""
    model = half(onnx.load(export_once("depthclip").graph("fp32")))
    kinds, names = types(model), [node.op_type for node in model.graph.node]
    after = model.graph.node[names.index("ReduceL2") :]
    assert {kinds[tensor] for node in after for tensor in node.output} == {TensorProto.FLOAT}


def test_a_half_file_is_half_the_size(export_once) -> None:  # type: ignore[no-untyped-def]
    model = onnx.load(export_once("msa").graph("fp32"))
    assert half(model).ByteSize() < 0.55 * model.ByteSize()


def test_weights_are_rounded_to_the_nearest_half(tmp_path: Path) -> None:
    weight = np.array([[0.1, -1 / 3, 1e-3]], np.float32)
    model = half(onnx.load(convolutions(tmp_path / "g.onnx", [weight])))
    held = constants(model)["layer0.weight_half"]
    np.testing.assert_array_equal(held.ravel(), weight.ravel().astype(np.float16))
    assert "layer0.weight" not in constants(model)


def test_rounding_between_layers_is_simulated(tmp_path: Path) -> None:
    """Two 1×1 convolutions: the picture, both weights and both results are rounded to half, the sum of each is not."""
    weights = [np.random.default_rng(1).normal(size=shape).astype(np.float32) for shape in ((4, 3), (1, 4))]
    model = half(onnx.load(convolutions(tmp_path / "g.onnx", weights)))
    picture = frames(1)
    values = (picture / np.float32(255)).astype(np.float16).astype(np.float64)
    for weight in weights:
        values = (values @ weight.astype(np.float16).astype(np.float64).T).astype(np.float16).astype(np.float64)
    (found,) = open_session(rounded(model)).run(None, {"frame": picture})
    (exact,) = open_session(onnx.load(tmp_path / "g.onnx")).run(None, {"frame": picture})
    np.testing.assert_allclose(found, values[..., 0] + 0.5, rtol=0, atol=2e-6)
    assert np.abs(exact - found).max() > 1e-4


LOUD = [np.full((2, 3), 5e4, np.float32), np.full((1, 2), 1e-5, np.float32)]
"""Weights that a half holds, and a sum of up to 150,000 between the layers that it does not."""


def test_an_overflow_is_seen_here_though_onnx_runtime_computes_in_fp32(tmp_path: Path) -> None:
    model = half(onnx.load(convolutions(tmp_path / "g.onnx", LOUD)))
    pictures = np.full((1, 6, 8, 3), 255, np.uint8)
    golden = Golden(pictures, expected(pictures, LOUD).astype(np.float32), np.zeros((1, 6, 8), np.float32))
    assert judge(model, golden, Tolerance(0.01)).passed, "the device that this stands for would not agree"
    assert not judge(rounded(model), golden, Tolerance(0.01)).finite


def test_what_comes_near_halfs_limit_on_real_frames_stays_in_fp32(tmp_path: Path) -> None:
    graph = convolutions(tmp_path / "g.onnx", LOUD)
    pictures = np.full((1, 6, 8, 3), 255, np.uint8)
    golden = Golden(pictures, expected(pictures, LOUD).astype(np.float32), np.zeros((1, 6, 8), np.float32))
    largest = largest_values(graph, feeds(golden))
    assert largest["x1"] == pytest.approx(3 * 5e4)
    assert largest["x0"] == pytest.approx(1)
    safe = half(onnx.load(graph), largest)
    assert judge(rounded(safe), golden, Tolerance(1e-3)).passed
    assert types(safe)["x1"] == TensorProto.FLOAT


def test_the_largest_of_all_frames_counts(tmp_path: Path) -> None:
    weights = [np.array([[1, 0, 0]], np.float32)]
    graph = convolutions(tmp_path / "g.onnx", weights)
    pictures = np.zeros((3, 6, 8, 3), np.uint8)
    pictures[1, 2, 3, 0] = 51
    golden = Golden(pictures, np.ones((3, 6, 8), np.float32), np.ones((3, 6, 8), np.float32))
    assert largest_values(graph, feeds(golden))["x1"] == pytest.approx(0.2)
    np.testing.assert_allclose(answer_to(graph, golden).depth, expected(pictures, weights), atol=1e-6)
