"""A run with confidence, exported in all precisions: its outputs are PyTorch's, and depth's graph stays as it is."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from clipdepth.bundle.agreement import TOLERANCES, Tolerance
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import PRECISIONS
from clipdepth.cli import main
from clipdepth.engines import load_engine
from clipdepth.engines.tensorrt.network import parse_graph
from clipdepth.errors import VerificationError
from clipdepth_export.exporter import ExportConfig, write_bundle
from clipdepth_export.options import tolerance
from clipdepth_export.sources.run import run_source
from clipdepth_train.checkpoint import CHECKPOINT, load_run, load_run_and_state, save_checkpoint
from clipdepth_train.models.confidence import ConfidenceHead
from clipdepth_train.recipe import DataConfig
from runs import train_tiny_run
from tensorrt_cpu.builds import build_all

pytest_plugins = ["tensorrt_cpu.plugin"]
SIZES = ((96, 64),)


@pytest.fixture(scope="module")
def run(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run whose confidence is spread from nearly 0 to nearly 1."""
    frames = DataConfig(64, 96, workers=0)
    made = train_tiny_run(tmp_path_factory.mktemp("confident") / "sure", many, normalisation="clip", frames=frames)
    model, recipe, state = load_run_and_state(made)
    head, novelty = model.add_confidence()
    torch.manual_seed(3)
    torch.nn.init.normal_(novelty.whitened.weight, 0, 2)
    torch.nn.init.normal_(head.local.weight, 0, 0.5)
    torch.nn.init.normal_(head.whole.weight, 0, 0.5)
    torch.nn.init.constant_(head.local.bias, -2.0)  # type: ignore[arg-type]
    save_checkpoint(made / CHECKPOINT, model.state_dict(), recipe, state)
    return made


@pytest.fixture(scope="module")
def bundle(run: Path, many: Path) -> Bundle:
    # So tiny a network, barely trained, loses more in int8 than a real one.
    loose: Mapping[str, Tolerance] = {"int8": Tolerance(0.3, None, 0.2, 0.2)}
    config = ExportConfig(PRECISIONS, 1, loose, other_sizes=SIZES)
    exported = write_bundle(run_source(run, str(many)), run.with_name("sure.bundle"), config)
    assert exported.refused == {}
    return open_bundle(run.with_name("sure.bundle"))


def pytorch(run: Path, frames: np.ndarray) -> Answer:
    model, _ = load_run(run)
    with torch.no_grad():
        return Answer(*(part.numpy() for part in model.with_confidence(torch.from_numpy(frames))))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_all_outputs_are_pytorchs(run: Path, bundle: Bundle, engine: str, precision: str) -> None:
    pytest.importorskip(engine)
    assert bundle.manifest.confidence
    for sized in bundle.sizes:
        golden = sized.golden()
        assert golden.confidence is not None
        assert golden.novelty is not None
        depth, confidence, novelty = pytorch(run, golden.frames)
        assert confidence is not None
        assert novelty is not None
        np.testing.assert_allclose(golden.novelty, novelty, rtol=1e-3)
        np.testing.assert_allclose(golden.confidence, confidence, atol=1e-4)
        assert np.ptp(confidence) > 0.2
        with closing(load_engine(sized, engine, precision)) as loaded:
            found = [loaded.infer(frame[None]) for frame in golden.frames]
        limit = TOLERANCES[precision].confidence if precision != "int8" else 0.2
        rest = 0.01 if precision != "int8" else 0.2
        np.testing.assert_allclose(np.concatenate([answer.novelty for answer in found]), novelty, rtol=rest)
        for answer, true, sure in zip(found, depth, confidence, strict=True):
            assert answer.confidence is not None
            assert np.abs(answer.confidence[0] - sure).mean() <= limit
            assert np.abs(answer.depth[0] / true - 1).mean() <= (0.3 if precision == "int8" else 5e-3)


def test_the_manifest_says_what_was_measured(bundle: Bundle) -> None:
    for graph in bundle.manifest.graphs:
        assert graph.verification.confidence_change is not None
        assert 0 <= graph.verification.confidence_change <= (graph.verification.tolerance.confidence or 0)
        assert graph.verification.novelty_change is not None
        assert 0 <= graph.verification.novelty_change <= (graph.verification.tolerance.novelty or 0)
    assert main(["verify", str(bundle.path)]) == 0


def test_confidence_is_told_from_the_features_as_bins_are_and_the_rest_stays_in_fp32(bundle: Bundle) -> None:
    """One convolution takes the features in the graph's precision; exponents, means and novelty are in fp32."""
    for graph in bundle.manifest.graphs:
        model = onnx.shape_inference.infer_shapes(onnx.load(bundle.path / graph.file))
        nodes, weights = model.graph.node, {tensor.name: tensor.data_type for tensor in model.graph.initializer}
        types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
        made = {output: node for node in nodes for output in node.output}
        first, second = [node for node in nodes if node.op_type == "Exp"]
        assert {types[node.input[0]] for node in (first, second)} == {onnx.TensorProto.FLOAT}, graph.label
        novelty = {kind for name, kind in weights.items() if "novelty.whitened.weight" in name}
        assert novelty == {onnx.TensorProto.FLOAT}, graph.label
        (head,) = [node for node in nodes if node.op_type == "Conv" and weight_shape(model, node)[0] == 2]
        (scores,) = [node for node in nodes if node.input[:1] == head.input[:1] and node is not head]
        assert scores.op_type == "Conv", graph.label
        for node in (head, scores):
            quantised = node.input[1] in made
            assert quantised == (graph.precision == "int8"), (graph.label, node.name)
            if graph.precision == "fp16":
                assert weights[node.input[1]] == onnx.TensorProto.FLOAT16, node.name
        assert [output.name for output in model.graph.output] == ["depth", "confidence", "novelty"]
        # Bins last, and both maps enlarged by products.
        (softmax,) = [node for node in nodes if node.op_type == "Softmax"]
        assert softmax.attribute[0].i in (-1, 3)
        assert sum(node.op_type == "Einsum" for node in nodes) == 4


def weight_shape(model: onnx.ModelProto, layer: onnx.NodeProto) -> tuple[int, ...]:
    """Of its weight, or of what that is restored from."""
    makers = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    name = makers.get(layer.input[1], layer.input[1])
    (found,) = [tensor.dims for tensor in model.graph.initializer if tensor.name == name]
    return tuple(found)


@pytest.mark.usefixtures("tensorrt")
def test_tensorrt_builds_all_three_outputs_in_every_precision(bundle: Bundle) -> None:
    for sized in bundle.sizes:
        build_all(sized)
    for precision in PRECISIONS:
        network = parse_graph(bundle.graph(precision, "tensorrt")).network
        outputs = [network.get_output(number) for number in range(network.num_outputs)]
        assert {output.name: tuple(output.shape) for output in outputs} == {
            "depth": (1, 64, 96),
            "confidence": (1, 64, 96),
            "novelty": (1,),
        }


def test_a_head_that_differs_is_refused(run: Path, bundle: Bundle, tmp_path: Path, many: Path) -> None:
    """The graph of one head against the frames of another."""
    source = run_source(run, str(many))
    assert source.trained is not None
    head = source.trained.model.network.confidence  # type: ignore[union-attr]
    assert isinstance(head, ConfidenceHead)
    with torch.no_grad():
        assert head.local.bias is not None
        head.local.bias.add_(0.01)
    with pytest.raises(VerificationError, match="confidence differs by"):
        write_bundle(source, tmp_path / "other.bundle")
    assert not (tmp_path / "other.bundle").exists()


def test_a_bundle_is_evaluated_with_its_confidence(bundle: Bundle, many: Path, tmp_path: Path) -> None:
    asked = ["--data", str(many), "--uncertainty", "--json", str(tmp_path / "e.json")]
    assert main(["evaluate", str(bundle.path), *asked]) == 0


def test_what_confidence_is_worth_is_printed_and_stated(
    run: Path, many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--data", str(many), "--uncertainty", "--json", str(tmp_path / "e.json")]
    assert main(["evaluate", str(run), *asked]) == 0
    found = json.loads((tmp_path / "e.json").read_text())["uncertainty"]
    capsys.readouterr()
    out = tmp_path / "stated.bundle"
    assert (
        main(["export", str(run), "--data", str(many), "--out", str(out), "--accuracy", str(tmp_path / "e.json")]) == 0
    )
    printed = capsys.readouterr().out
    manifest = open_bundle(out).manifest
    measured = manifest.graphs[0].verification
    assert f"differ by fp32 {measured.confidence_change:.1e}, {measured.novelty_change:.1e}\n" in printed
    assert f"without the least sure fifth rel changes by {found['rel']['0.8'] / found['rel']['1'] - 1:+.1%}" in printed
    (accuracy,) = manifest.accuracy
    assert accuracy.confidence is not None
    assert accuracy.confidence.stated == found["confidence"]
    assert accuracy.confidence.observed == found["within"]
    assert accuracy.confidence.covered == found["coverage"]
    assert accuracy.confidence.surest == pytest.approx(found["rel"]["0.8"] / found["rel"]["1"] - 1)


def test_a_looser_limit_of_depth_leaves_those_of_confidence_and_novelty() -> None:
    usual = TOLERANCES["int8"]
    precision, found = tolerance("int8=0.05")
    assert precision == "int8"
    assert (found.mean, found.delta1, found.confidence, found.novelty) == (
        0.05,
        usual.delta1,
        usual.confidence,
        usual.novelty,
    )
    assert tolerance("int8=0.05,2")[1].delta1 == 0.02
