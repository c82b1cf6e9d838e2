"""A graph whose depth is not PyTorch's makes no bundle."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from clipdepth.bundle.agreement import TOLERANCES, Tolerance
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import Precision
from clipdepth.cli import main
from clipdepth.errors import EngineError
from clipdepth_export import exporter
from clipdepth_export.gate import judge
from clipdepth_export.variants import Variant, Variants

Change = Callable[[onnx.ModelProto], None]
CLIP_MEAN_BGR = 255 * np.array([0.40821073, 0.4578275, 0.48145466])


def constant(model: onnx.ModelProto, wanted: Callable[[NDArray[np.generic]], bool]) -> TensorProto:
    """The graph's only constant of which `wanted` is true."""
    found: list[TensorProto] = [t for t in model.graph.initializer if wanted(numpy_helper.to_array(t))]
    assert len(found) == 1
    return found[0]


def replace(tensor: TensorProto, values: NDArray[np.generic]) -> None:
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def head_weight(model: onnx.ModelProto) -> TensorProto:
    """The last convolution's weights: (8 bins, 8 channels, 1, 1)."""
    last = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    found: list[TensorProto] = [tensor for tensor in model.graph.initializer if tensor.name == last.input[1]]
    return found[0]


def one_wrong_weight(model: onnx.ModelProto) -> None:
    tensor = head_weight(model)
    values = numpy_helper.to_array(tensor).copy()
    values[3, 2] += 0.5
    replace(tensor, values)


def swapped_colours(model: onnx.ModelProto) -> None:
    """Those of the trunk's first convolution, whose weights hold the order."""
    (tensor,) = (t for t in model.graph.initializer if t.name.startswith("network.trunk.visual.conv1.weight_for"))
    replace(tensor, numpy_helper.to_array(tensor)[:, ::-1].copy())


def wrong_mean(model: onnx.ModelProto) -> None:
    mean = constant(model, lambda value: value.size == 3 and np.allclose(value.ravel(), CLIP_MEAN_BGR))
    replace(mean, numpy_helper.to_array(mean) * np.float32(0.95))


def not_a_number(model: onnx.ModelProto) -> None:
    tensor = head_weight(model)
    values = numpy_helper.to_array(tensor).copy()
    values[0, 0] = np.nan
    replace(tensor, values)


def two_per_mille_too_far(model: onnx.ModelProto) -> None:
    model.graph.node[-1].output[0] = "nearly"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1.002), "stretch"))
    model.graph.node.append(onnx.helper.make_node("Mul", ["nearly", "stretch"], ["depth"]))


WRONG: list[Change] = [one_wrong_weight, swapped_colours, wrong_mean, not_a_number, two_per_mille_too_far]


def write_changed(bundle: Bundle, path: Path, change: Change) -> Path:
    onnx.save(changed(bundle, change), path)
    return path


def changed(bundle: Bundle, change: Change) -> onnx.ModelProto:
    model = onnx.load(bundle.graph("fp32"))
    change(model)
    return model


def test_the_graph_as_it_was_exported_passes(edge: Bundle, tmp_path: Path) -> None:
    graph = write_changed(edge, tmp_path / "graph.onnx", lambda model: None)
    agreement = judge(graph, edge.golden(), TOLERANCES["fp32"])
    assert agreement.passed
    assert agreement.frames == 8


@pytest.mark.parametrize("change", WRONG)
def test_a_changed_graph_is_refused(edge: Bundle, tmp_path: Path, change: Change) -> None:
    assert not judge(write_changed(edge, tmp_path / "graph.onnx", change), edge.golden(), TOLERANCES["fp32"]).passed


def test_the_refusal_says_by_how_much(edge: Bundle, tmp_path: Path) -> None:
    graph = write_changed(edge, tmp_path / "graph.onnx", two_per_mille_too_far)
    found = str(judge(graph, edge.golden(), TOLERANCES["fp32"]))
    assert "differs from PyTorch: relative depth difference mean 0.002, " in found
    assert " over 8 frames (tolerance 0.0001 on the mean)" in found
    assert judge(graph, edge.golden(), Tolerance(0.01)).passed


def test_nan_is_named(edge: Bundle, tmp_path: Path) -> None:
    graph = write_changed(edge, tmp_path / "graph.onnx", not_a_number)
    assert "NaN or infinite" in str(judge(graph, edge.golden(), Tolerance(1e9)))


def test_a_file_that_is_no_graph_is_an_engine_error(edge: Bundle, tmp_path: Path) -> None:
    (tmp_path / "graph.onnx").write_bytes(edge.graph("fp32").read_bytes()[:1000])
    with pytest.raises(EngineError, match="cannot load"):
        judge(tmp_path / "graph.onnx", edge.golden(), TOLERANCES["fp32"])


FIRST, DETAIL, LAST = "network.trunk.visual.conv1", "network.detail.0.0", "network.head.score"
GUILTY: dict[Change, tuple[str, ...]] = {
    one_wrong_weight: (LAST,),
    not_a_number: (LAST,),
    swapped_colours: (FIRST,),
    wrong_mean: (FIRST, DETAIL),
}


@pytest.fixture(params=WRONG)
def wrong_exporter(request: pytest.FixtureRequest, edge: Bundle, monkeypatch: pytest.MonkeyPatch) -> Change:
    """A fault put into the export: what torch wrote for the edge model comes out changed."""
    monkeypatch.setattr(exporter, "proto_of", lambda program: changed(edge, request.param))
    fault: Change = request.param
    return fault


def test_a_wrong_export_writes_nothing_and_names_the_layer(
    edge: Bundle, wrong_exporter: Change, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(edge.path.with_suffix("")), "--out", str(tmp_path / "new" / "x.bundle")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "the fp32 graph differs from PyTorch: " in err
    assert err.endswith("no bundle was written\n")
    assert any(f"worst layers: {layer}" in err for layer in GUILTY.get(wrong_exporter, ("",)))
    assert list((tmp_path / "new").iterdir()) == []


def test_a_wrong_export_leaves_the_earlier_bundle(
    edge: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter, "proto_of", lambda program: changed(edge, not_a_number))
    earlier = tmp_path / "x.bundle"
    earlier.mkdir()
    before = {file.name: file.read_bytes() for file in edge.path.iterdir()}
    for name, content in before.items():
        (earlier / name).write_bytes(content)
    assert main(["export", str(edge.path.with_suffix("")), "--out", str(earlier)]) == 1
    assert {file.name: file.read_bytes() for file in earlier.iterdir()} == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.bundle"]


@pytest.mark.parametrize("label", ["fp16", "int8 cpu", "int8 tensorrt"])
def test_a_wrong_graph_is_left_out_and_the_others_are_written(
    edge: Bundle,
    many: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    label: str,
) -> None:
    """The last layer goes wrong in one graph alone."""
    make_all = Variants.make_all

    def faulty(self: Variants, asked: Precision, tolerance: Tolerance) -> tuple[list[list[Variant]], dict[str, str]]:
        made, refused = make_all(self, asked, tolerance)
        for (variant,) in made:
            if variant.label == label:
                _negate_the_last_layer(variant.model)
                if variant.judged is not variant.model:
                    _negate_the_last_layer(variant.judged)
        return made, refused

    monkeypatch.setattr(Variants, "make_all", faulty)
    bundle = tmp_path / "x.bundle"
    run = str(edge.path.with_suffix(""))
    arguments = ["export", run, "--data", str(many), "--out", str(bundle), "--precision", "fp32", "fp16", "int8"]
    assert main([*arguments, "--tolerance", "int8=0.25,100"]) == 1
    err = capsys.readouterr().err
    assert f"clipdepth: error: {label} is not in {bundle}: the {label} graph differs from PyTorch: " in err
    assert LAST in err
    kept = {"fp32", "fp16", "int8 cpu", "int8 tensorrt"} - {label}
    assert {graph.label for graph in open_bundle(bundle).manifest.graphs} == kept
    assert {file.name for file in bundle.glob("*.onnx")} == {f"depth.{name.replace(' ', '.')}.onnx" for name in kept}
    assert (bundle / "depth.int8.weights").exists() == (label == "fp16"), "one graph alone holds its own weights"


def _negate_the_last_layer(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        if tensor.name.startswith(f"{LAST}.weight") and len(tensor.dims) == 4:
            replace(tensor, -numpy_helper.to_array(tensor))


def test_a_wrong_fp32_graph_makes_no_other_precision(
    edge: Bundle, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """fp16 alone is asked for, with a tolerance that would let anything finite pass."""
    monkeypatch.setattr(exporter, "proto_of", lambda program: changed(edge, two_per_mille_too_far))
    arguments = ["export", str(edge.path.with_suffix("")), "--data", str(many), "--out", str(tmp_path / "x.bundle")]
    assert main([*arguments, "--precision", "fp16", "--tolerance", "fp16=0.05,100"]) == 1
    err = capsys.readouterr().err
    assert "the fp32 graph differs from PyTorch: " in err
    assert list(tmp_path.iterdir()) == []
