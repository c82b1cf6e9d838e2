"""A bundle of a model that was trained with Segment Anything's masks runs from a plain frame."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from clipdepth.bundle.agreement import Tolerance
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.cli import main
from clipdepth.engines import load_engine
from clipdepth.engines.sam.painting import paint
from clipdepth.engines.tensorrt.build import build_plan
from clipdepth.engines.tensorrt.network import check_contract, parse_graph
from clipdepth.engines.tensorrt.precisions import check_precisions, network_precisions
from clipdepth.errors import BundleError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_export.exporter import ExportConfig, write_bundle
from clipdepth_export.sam import exporter as sam_exporter
from clipdepth_export.sources.run import run_source
from clipdepth_train.checkpoint import load_run
from clipdepth_train.segmentation import SamConfig, Segmenter
from measured import few_calibration_frames

ALL = ("fp32", "fp16", "int8")
pytest_plugins = ["tensorrt_cpu.plugin"]


@pytest.fixture(scope="module")
def bundle(sam_run: Path, many: Path, segments: str) -> Bundle:
    """The run in every precision, calibrated on `many`, whose paintings the same SAM made."""
    # The loosest that a bundle may have: the model learned nothing.
    loose = {"fp16": Tolerance(0.05), "int8": Tolerance(0.3)}
    config = ExportConfig(ALL, tolerances=loose)
    exported = write_bundle(run_source(sam_run, str(many)), sam_run.with_suffix(".bundle"), config)
    assert exported.refused == {}
    return open_bundle(sam_run.with_suffix(".bundle"))


def torch_depth(run: Path, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """segment-anything's own masks in PyTorch, painted, and PyTorch's depth with them: (H, W) metres."""
    masks = Segmenter(SamConfig("mini", "none", 4, 0, 0))(frame)
    model, _ = load_run(run)
    model.mirror = False
    with torch.no_grad():
        depth = model(torch.from_numpy(frame[None]), torch.from_numpy(paint(masks)[None]))
    return np.asarray(depth[0].numpy(), np.float32)


def test_depth_of_a_plain_frame_is_pytorchs_with_sam(bundle: Bundle, sam_run: Path) -> None:
    frame = Room(77).render(1.0, default_intrinsics(64, 96)).frame
    engine = load_engine(bundle)
    depth = engine.infer(frame[None]).depth
    engine.close()
    expected = torch_depth(sam_run, frame)
    assert np.mean(np.abs(depth[0] - expected) / expected) < 1e-4
    other = engine_depth_with(bundle, frame, np.zeros_like(frame))
    assert np.mean(np.abs(other - expected) / expected) > 5e-4, "the masks make a difference"


def engine_depth_with(bundle: Bundle, frame: NDArray[np.uint8], painted: NDArray[np.uint8]) -> NDArray[np.float32]:
    engine = load_engine(bundle)
    return np.asarray(engine.infer(frame[None], painted[None]).depth[0])


def test_it_holds_both_of_sams_graphs_in_both_precisions_and_states_them(bundle: Bundle) -> None:
    files = {file.name for file in bundle.path.iterdir()}
    assert {f"sam-{part}.{precision}.onnx" for part in ("encoder", "decoder") for precision in ("fp32", "fp16")} < files
    assert files - {"manifest.json"} == set(bundle.manifest.files)
    sam = bundle.manifest.sam
    assert sam is not None
    assert (sam.variant, sam.points_per_side, sam.pred_iou_thresh, sam.image_size) == ("mini", 4, 0, 128)
    assert [sam.beside(precision) for precision in ALL] == ["fp32", "fp16", "fp32"]
    assert any("segment-anything" in note.part for note in bundle.manifest.licences)


def test_golden_segmentation_is_of_the_frames_as_a_device_sees_them(bundle: Bundle) -> None:
    golden = bundle.golden()
    assert golden.segmentation is not None
    masks = Segmenter(SamConfig("mini", "none", 4, 0, 0))(golden.frames[0])
    np.testing.assert_array_equal(golden.segmentation[0], paint(masks))


def test_the_commands_take_it_like_any_other(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(bundle.path), "--precision", "fp32"]) == 0
    run = ["run", str(bundle.path), "--source", "rooms:3", "--frames", "2", "--json", str(tmp_path / "r.json")]
    assert main(run) == 0
    assert json.loads((tmp_path / "r.json").read_text())["frames"] == 2
    bench = ["bench", str(bundle.path), "--rounds", "1", "--per-round", "2", "--json", str(tmp_path / "b.json")]
    skipped = ["--skip", "compile", "--skip", "streaming", "--skip", "memory"]
    # int8 of a model that learned nothing may fail its own limit.
    assert main([*bench, *skipped, "--threads", "1"]) in (0, 1)
    rows = {row["name"]: row for row in json.loads((tmp_path / "b.json").read_text())["rows"]}
    assert "SAM" in rows["PyTorch eager"]["verdict"]
    assert rows["onnxruntime"]["latency_ms"]["n"] == 2
    capsys.readouterr()


def test_a_graph_of_sam_that_was_tampered_with_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle.path, tmp_path / "b")
    path = copy / "sam-decoder.fp32.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(BundleError, match=r"sam-decoder\.fp32\.onnx is not the file"):
        open_bundle(copy)


def test_a_manifest_that_names_other_files_of_sam_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle.path, tmp_path / "b")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["sam"]["graphs"]["fp32"]["encoder"] = "elsewhere.onnx"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"field sam\.graphs\.fp32: elsewhere\.onnx is not in files"):
        open_bundle(copy)


def test_sam_graphs_that_paint_otherwise_make_no_bundle(
    sam_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The decoder's masks come out negated: everything that is not the object."""
    save = sam_exporter.save_sam_graph

    def negated(model: onnx.ModelProto, path: Path, largest: int = 10**9) -> list[str]:
        if "decoder" in path.name:
            last = next(node for node in model.graph.node if "masks" in node.output)
            last.output[list(last.output).index("masks")] = "positive"
            model.graph.node.append(onnx.helper.make_node("Neg", ["positive"], ["masks"]))
        return save(model, path, largest)

    monkeypatch.setattr(sam_exporter, "save_sam_graph", negated)
    assert main(["export", str(sam_run), "--out", str(tmp_path / "x.bundle")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "differ from PyTorch" in err
    assert list(tmp_path.iterdir()) == []


def test_the_weights_have_to_be_those_it_was_trained_with(
    sam_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.pth").write_bytes(b"other weights")
    arguments = ["export", str(sam_run), "--out", str(tmp_path / "x.bundle")]
    assert main([*arguments, "--sam-weights", str(tmp_path / "other.pth")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "trained with SAM's mini of sha256 none" in err
    assert "other.pth are other weights" in err


def test_a_dataset_without_its_paintings_is_told(
    sam_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(sam_run), "--out", str(tmp_path / "x.bundle"), "--data", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "sam.json does not say which SAM the run was trained with" in err
    assert "--data" in err


@pytest.mark.slow
@pytest.mark.usefixtures("tensorrt")
@pytest.mark.parametrize("max_batch", [1, 3])
def test_tensorrt_builds_depth_with_masks_and_sams_graphs(
    bundle: Bundle, sam_run: Path, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_batch: int
) -> None:
    if max_batch > 1:
        few_calibration_frames(monkeypatch)
        anything = {name: Tolerance(1e9) for name in ("fp16", "int8")}
        write_bundle(run_source(sam_run, str(many)), tmp_path / "b", ExportConfig(ALL, max_batch, anything))
        bundle = open_bundle(tmp_path / "b", any_tolerance=True)
    for precision in ALL:
        parsed = parse_graph(bundle.graph(precision, "tensorrt"))
        check_contract(parsed)
        assert set(parsed.inputs()) == {"frame", "segmentation"}
        check_precisions(network_precisions(parsed), precision, precision)
        assert len(build_plan(parsed, max_batch).engine) > 10_000
    assert bundle.manifest.sam
    for name in bundle.manifest.sam.files:
        parsed = parse_graph(bundle.path / name)
        check_precisions(network_precisions(parsed), name.split(".")[1], name)
        assert len(build_plan(parsed, 8).engine) > 10_000
