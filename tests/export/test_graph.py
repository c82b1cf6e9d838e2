"""The exported graph, read back with onnx."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper
from torch import Tensor, nn

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.onnx_file import OnnxFile
from clipdepth_export.calibration import open_session
from clipdepth_export.graph import ExportError, save_together, trace
from clipdepth_train.checkpoint import load_run
from clipdepth_train.models.depthclip import CLASSES
from tiny_clip import TINY_CLIP

ROOT = Path(__file__).parents[2]


def graph_of(bundle: Bundle) -> onnx.ModelProto:
    return onnx.load(bundle.graph("fp32"))


def signature(value: ValueInfoProto) -> tuple[str, int, list[int]]:
    """Name, element type and shape; a dimension that is not fixed counts as 0."""
    tensor = value.type.tensor_type
    return value.name, tensor.elem_type, [dim.dim_value for dim in tensor.shape.dim]


def constants(model: onnx.ModelProto) -> list[NDArray[np.generic]]:
    return [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def test_frame_in_depth_out(exported: Bundle) -> None:
    model = graph_of(exported)
    assert [signature(v) for v in model.graph.input] == [("frame", TensorProto.UINT8, [1, 64, 96, 3])]
    assert [signature(v) for v in model.graph.output] == [("depth", TensorProto.FLOAT, [1, 64, 96])]
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert not model.functions


def test_the_frame_goes_into_a_cast_and_nothing_else(exported: Bundle) -> None:
    readers = [node for node in graph_of(exported).graph.node if "frame" in node.input]
    assert [node.op_type for node in readers] == ["Cast"]
    assert [onnx.helper.get_attribute_value(a) for a in readers[0].attribute if a.name == "to"] == [TensorProto.FLOAT]


def test_weights_are_inside_the_one_file(exported: Bundle) -> None:
    assert {file.name for file in exported.path.iterdir()} == {"manifest.json", "depth.fp32.onnx", "golden.npz"}
    tensors = onnx.load(exported.graph("fp32"), load_external_data=False).graph.initializer
    assert not any(tensor.external_data for tensor in tensors)


def test_the_bundle_names_no_path_and_no_source_line(exported: Bundle, data: Path, clip_weights: Path) -> None:
    run = exported.path.with_suffix("")
    ours = [str(place) for place in (ROOT, data, data.parent, clip_weights.parent, run, run.parent, sys.prefix)]
    for file in exported.path.iterdir():
        content = file.read_bytes()
        for secret in (*ours, "site-packages", '.py", line', "stack_trace"):
            assert secret.encode() not in content, f"{file.name} has {secret}"


def test_one_pass_and_no_training_time_layers(exported: Bundle) -> None:
    model, _ = load_run(exported.path.with_suffix(""))
    found = operators(graph_of(exported))
    assert not found["BatchNormalization"]
    layers = sum(isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) for module in model.modules())
    # A mirrored second pass would double them.
    assert layers / 2 < found["Conv"] + found["ConvTranspose"] <= layers
    assert not {"Dropout", "RandomUniform", "RandomUniformLike", "Bernoulli", "If", "Loop"} & set(found)
    assert not any(
        onnx.helper.get_attribute_value(attribute)
        for node in graph_of(exported).graph.node
        for attribute in node.attribute
        if attribute.name == "training_mode"
    )


def test_mobile_clips_branches_are_folded(export_once: Callable[[str], Bundle]) -> None:
    bundle = export_once("mobile")
    model, _ = load_run(bundle.path.with_suffix(""))
    trained = sum(isinstance(module, nn.Conv2d) for module in model.modules())
    names = {tensor.name for tensor in graph_of(bundle).graph.initializer}
    assert operators(graph_of(bundle))["Conv"] < trained
    assert any("reparam_conv" in name for name in names)
    assert not any("conv_kxk" in name or "conv_scale" in name for name in names)


@pytest.mark.parametrize("kind", ["depthclip", "msa-initial", "refined"])
def test_text_features_are_constants(export_once: Callable[[str], Bundle], kind: str) -> None:
    torch.manual_seed(0)  # the recipe's seed, from which the CLIP of the run was drawn
    clip = open_clip.create_model(TINY_CLIP).eval()
    with torch.no_grad():
        text = clip.encode_text(open_clip.tokenize([f"This object is {name}" for name in CLASSES])).numpy()
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    held = [value.reshape(text.shape) for value in constants(graph_of(export_once(kind))) if value.size == text.size]
    assert any(np.allclose(value, text, atol=1e-6) for value in held)
    # The token embedding, 49,408 words, is the bulk of the tower that made them.
    assert not any(49408 in value.shape for value in constants(graph_of(export_once(kind))))


@pytest.mark.parametrize("kind", ["msa", "edge", "mobile", "eigen"])
def test_a_model_without_text_holds_none(export_once: Callable[[str], Bundle], kind: str) -> None:
    assert not any(value.size == 7 * 256 for value in constants(graph_of(export_once(kind))))


class Undecided(nn.Module):
    """What it does depends on what it sees, which no static graph can say."""

    def forward(self, frame: Tensor) -> Tensor:
        depth = frame.float().mean(dim=3)
        return depth + 1 if depth.mean() > 100 else depth + 2


def test_a_model_that_cannot_be_exported_is_an_error_of_one_plain_line() -> None:
    with pytest.raises(ExportError, match=r"torch cannot export this model: .*data-dependent") as error:
        trace(Undecided(), {"frame": torch.zeros(1, 8, 8, 3, dtype=torch.uint8)}, ["depth"])
    message = str(error.value)
    assert "\n" not in message
    assert "\x1b" not in message


def test_graphs_that_are_written_together_store_the_same_tensor_once(tmp_path: Path) -> None:
    weight = np.arange(1000, dtype=np.float32).reshape(1, 1000)
    graphs = {tmp_path / f"{name}.onnx": product(weight, add) for name, add in (("a", 0.0), ("b", 1.0))}
    save_together(graphs, tmp_path / "both.weights")
    assert (tmp_path / "both.weights").read_bytes() == weight.tobytes()
    assert all(path.stat().st_size < 1000 for path in graphs)
    x = np.ones((1000, 1), np.float32)
    for path, graph in graphs.items():
        assert graph.graph.initializer[0].HasField("raw_data"), "what was given is not changed"
        found, expected = (open_session(model).run(None, {"x": x})[0] for model in (path, graph))
        np.testing.assert_array_equal(found, expected)
        assert OnnxFile(path).files == {"both.weights"}


def test_graphs_of_small_tensors_have_no_file_beside_them(tmp_path: Path) -> None:
    weight = np.arange(10, dtype=np.float32).reshape(1, 10)
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    save_together({path: product(weight, 1.0) for path in paths}, tmp_path / "both.weights")
    assert sorted(tmp_path.iterdir()) == paths


def product(weight: NDArray[np.float32], add: float) -> onnx.ModelProto:
    """x, (N, 1), to weight, (1, N), · x + `add`."""
    nodes = [helper.make_node("MatMul", ["weight", "x"], ["wx"]), helper.make_node("Add", ["wx", "add"], ["y"])]
    held = {"weight": weight, "add": np.float32(add)}
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [weight.shape[1], 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
