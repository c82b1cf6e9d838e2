"""Transformers of every kind as trunks, from training to verified graphs that TensorRT takes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import PRECISIONS, InputSize
from clipdepth.cli import main
from clipdepth_export.calibration import open_session
from clipdepth_export.graph import proto_of, trace_depth
from clipdepth_export.simplification import simplify
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.models import SpaceConfig
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig
from measured import few_calibration_frames
from runs import tiny_recipe, train_tiny_run
from tensorrt_cpu.builds import build_all
from tiny_clip import TINY_VIT

pytest_plugins = ["tensorrt_cpu.plugin"]
DINOV2, DINOV3 = "vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"
SIZES = {TINY_VIT: (64, 96), "test_vit": (64, 96), DINOV2: (56, 84), DINOV3: (64, 96)}


def config(name: str) -> SpaceConfig:
    return SpaceConfig(PretrainedConfig(name, "none"), (1, 2, 3, 4), width=8, bins=8)


def model_of(name: str) -> DepthModel:
    model = build_model(tiny_recipe("rooms", model=config(name), frames=DataConfig(*SIZES[name])))
    return model.deployable()


def traced(model: DepthModel, height: int, width: int) -> onnx.ModelProto:
    return simplify(proto_of(trace_depth(model, InputSize(height, width))))


@pytest.mark.parametrize("name", SIZES)
def test_a_graph_holds_the_position_embeddings_of_its_size(name: str) -> None:
    check_positions_are_held(traced(model_of(name), *SIZES[name]))


def check_positions_are_held(model: onnx.ModelProto) -> None:
    nodes = model.graph.node
    modes = [next(a.s for a in node.attribute if a.name == "mode") for node in nodes if node.op_type == "Resize"]
    assert set(modes) == {b"linear"}, "the pyramid's and no bicubic one"
    assert not {"Sin", "Cos", "Range"} & {node.op_type for node in nodes}


def test_graphs_of_two_sizes_are_of_one_model() -> None:
    model = model_of(TINY_VIT)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for size in ((64, 96), (96, 64)):
        graph = traced(model, *size)
        frame = np.random.default_rng(0).integers(0, 256, (1, *size, 3), dtype=np.uint8)
        (depth,) = open_session(graph).run(None, {"frame": frame})
        with torch.no_grad():
            expected = model(torch.from_numpy(frame)).numpy()
        np.testing.assert_allclose(depth, expected, rtol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_it_is_trained_evaluated_exported_and_verified_in_every_precision(
    name: str, many: Path, tmp_path: Path, tensorrt: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_calibration_frames(monkeypatch)
    run, out = tmp_path / "run", tmp_path / "space.bundle"
    frames = DataConfig(*SIZES[name], workers=0, held_out=2)
    train_tiny_run(run, many, model=config(name), frames=frames, batch_size=16)
    assert main(["confidence", str(run)]) == 0
    assert main(["evaluate", str(run), "--uncertainty"]) == 0
    # Random weights lose more in int8 than trained ones; leaving layers out is tested elsewhere, and slow.
    asked = ["--precision", *PRECISIONS, "--tolerance", "int8=0.3,100"]
    assert main(["export", str(run), "--out", str(out), *asked]) == 0
    for engine in ("onnxruntime", "openvino"):
        assert main(["verify", str(out), "--engine", engine]) == 0
    bundle = open_bundle(out)
    assert bundle.manifest.precisions == list(PRECISIONS)
    assert bundle.manifest.confidence
    check_positions_are_held(onnx.load(bundle.graph("fp32")))
    build_all(bundle)
