"""A graph whose depth is not PyTorch's makes no bundle."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from clipdepth.bundle import Bundle
from clipdepth.cli import main
from clipdepth.errors import EngineError, VerificationError
from clipdepth_export import exporter
from clipdepth_export.exporter import verify_graph

Change = Callable[[onnx.ModelProto], None]
CLIP_MEAN = 255 * np.array([0.48145466, 0.4578275, 0.40821073])


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
    order = constant(model, lambda value: value.size == 3 and value.tolist() == [2, 1, 0])
    replace(order, np.array([0, 1, 2], np.int64))


def wrong_mean(model: onnx.ModelProto) -> None:
    mean = constant(model, lambda value: value.size == 3 and np.allclose(value.ravel(), CLIP_MEAN))
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
    model = onnx.load(bundle.graph("fp32"))
    change(model)
    onnx.save(model, path)
    return path


def test_the_graph_as_it_was_exported_passes(edge: Bundle, tmp_path: Path) -> None:
    graph = write_changed(edge, tmp_path / "graph.onnx", lambda model: None)
    agreement = verify_graph(graph, edge.golden())
    assert agreement
    assert agreement.frames == 8


@pytest.mark.parametrize("change", WRONG)
def test_a_changed_graph_is_refused(edge: Bundle, tmp_path: Path, change: Change) -> None:
    graph = write_changed(edge, tmp_path / "graph.onnx", change)
    with pytest.raises(VerificationError, match=r"^the exported graph differs from PyTorch: .*no bundle was written$"):
        verify_graph(graph, edge.golden())


def test_the_refusal_says_by_how_much(edge: Bundle, tmp_path: Path) -> None:
    graph = write_changed(edge, tmp_path / "graph.onnx", two_per_mille_too_far)
    with pytest.raises(VerificationError, match=r"mean 0\.002, .* over 8 frames \(tolerance 0\.0001 on the mean\)"):
        verify_graph(graph, edge.golden())
    assert verify_graph(graph, edge.golden(), tolerance=0.01)


def test_nan_is_named(edge: Bundle, tmp_path: Path) -> None:
    graph = write_changed(edge, tmp_path / "graph.onnx", not_a_number)
    with pytest.raises(VerificationError, match="NaN or infinite"):
        verify_graph(graph, edge.golden(), tolerance=1e9)


def test_a_file_that_is_no_graph_is_an_engine_error(edge: Bundle, tmp_path: Path) -> None:
    (tmp_path / "graph.onnx").write_bytes(edge.graph("fp32").read_bytes()[:1000])
    with pytest.raises(EngineError, match="cannot load"):
        verify_graph(tmp_path / "graph.onnx", edge.golden())


@pytest.fixture(params=WRONG)
def wrong_exporter(request: pytest.FixtureRequest, edge: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault put into the export: what torch wrote for the edge model comes out changed."""

    def write_graph(model: object, path: Path, height: int, width: int) -> None:
        write_changed(edge, path, request.param)

    monkeypatch.setattr(exporter, "write_graph", write_graph)


@pytest.mark.usefixtures("wrong_exporter")
def test_a_wrong_export_writes_nothing(edge: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(edge.path.with_suffix("")), "--out", str(tmp_path / "new" / "x.bundle")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "differs from PyTorch" in err
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.usefixtures("wrong_exporter")
def test_a_wrong_export_leaves_the_earlier_bundle(edge: Bundle, tmp_path: Path) -> None:
    earlier = tmp_path / "x.bundle"
    earlier.mkdir()
    before = {file.name: file.read_bytes() for file in edge.path.iterdir()}
    for name, content in before.items():
        (earlier / name).write_bytes(content)
    assert main(["export", str(edge.path.with_suffix("")), "--out", str(earlier)]) == 1
    assert {file.name: file.read_bytes() for file in earlier.iterdir()} == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.bundle"]
