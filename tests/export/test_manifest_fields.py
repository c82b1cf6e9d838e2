"""What the manifest states, against the checkpoint, the data and the graph themselves."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

import clipdepth
from clipdepth.bundle.agreement import Tolerance
from clipdepth.bundle.folder import Bundle
from clipdepth.rooms import default_intrinsics
from clipdepth_export.exporter import write_bundle
from clipdepth_export.sources.run import portable_recipe, run_source
from clipdepth_train.recipe import LossConfig
from clipdepth_train.recipes import RECIPES
from runs import train_tiny_run


@pytest.fixture
def stated(edge: Bundle) -> dict[str, Any]:
    """The edge model's manifest as plain JSON."""
    manifest: dict[str, Any] = json.loads((edge.path / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_file_with_its_size_and_hash(exported: Bundle) -> None:
    files = {file.name: file for file in exported.path.iterdir() if file.name != "manifest.json"}
    found = {name: (stored.sha256, stored.size) for name, stored in exported.manifest.files.items()}
    assert found == {name: (sha256(file), file.stat().st_size) for name, file in files.items()}


def test_the_checkpoint_it_came_from(exported: Bundle) -> None:
    checkpoint = exported.path.with_suffix("") / "checkpoint.safetensors"
    assert exported.manifest.model.checkpoint_sha256 == sha256(checkpoint)


def test_the_focal_length_is_scaled_as_the_picture_is(exported: Bundle) -> None:
    """192×64 in 96×64: halved across and down."""
    focal = default_intrinsics(64, 192).fx
    assert exported.manifest.camera.fx == pytest.approx(focal / 2, rel=1e-4)
    assert exported.manifest.camera.fy == pytest.approx(focal / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("depthclip", 1.0, 3.0),
        ("msa", 1e-3, 10.0),
        ("msa-initial", 1e-3, 10.0),
        ("edge", 0.3, 10.0),
        ("clip-adapter", 1.0, 3.0),
        ("eigen", 1e-3, 10.0),
        ("refined", 1e-3, 10.0),
    ],
)
def test_the_depth_range_is_the_models(export_once: Any, kind: str, least: float, most: float) -> None:
    depth = export_once(kind).manifest.depth
    assert (depth.minimum, depth.maximum) == (least, most)


def test_name_size_and_versions(stated: dict[str, Any]) -> None:
    assert stated["schema"] == 3
    assert stated["name"] == "edge"
    assert stated["input"] == {"height": 64, "width": 96, "max_batch": 1}
    assert stated["written_by"]["clipdepth"] == clipdepth.__version__
    assert {"torch", "onnxruntime", "machine"} < set(stated["written_by"])


def test_the_recipe_without_this_machines_folders(stated: dict[str, Any]) -> None:
    recipe = stated["model"]["recipe"]
    assert recipe["data"] == ["rooms-pairs"]
    assert recipe["model"]["trunk"] == {"name": "tiny-clip", "weights": "tiny-weights.pt"}
    assert (recipe["model"]["kind"], recipe["normalisation"]) == ("edge", "clip")
    assert (recipe["frames"]["height"], recipe["frames"]["width"]) == (64, 96)
    assert "/" not in json.dumps(recipe)


def test_the_run_it_started_from_is_named_without_its_folder(export_once: Any) -> None:
    assert export_once("refined").manifest.model.recipe["start"] == "coarse"
    assert export_once("eigen").manifest.model.recipe["start"] == ""


def test_the_teacher_is_named_without_its_folder(data: Path, tmp_path: Path) -> None:
    teacher = train_tiny_run(tmp_path / "teacher", data)
    run = train_tiny_run(tmp_path / "taught", data, teacher=str(teacher), loss=LossConfig(distillation=1.0))
    assert write_bundle(run_source(run), tmp_path / "taught.bundle").manifest.model.recipe["teacher"] == "teacher"


def test_names_on_the_hub_stay_whole() -> None:
    recipe = replace(RECIPES["edge"], start="hf:someone/tiny@v1", teacher="hf:someone/large")
    assert (portable_recipe(recipe)["start"], portable_recipe(recipe)["teacher"]) == (recipe.start, recipe.teacher)


def test_licences_name_code_weights_and_data(stated: dict[str, Any]) -> None:
    parts = [note["part"] for note in stated["licences"]]
    assert parts == ["clipdepth code", "tiny-clip weights (tiny-weights.pt)", "rooms-pairs (training data)"]
    assert all(note["licence"] for note in stated["licences"])


def test_the_verification_it_passed(exported: Bundle) -> None:
    verification = exported.manifest.graphs[0].verification
    assert verification.tolerance == Tolerance(1e-4, confidence=1e-4, novelty=1e-3)
    assert 0 < verification.mean <= 1e-4
    assert verification.frames == 9, "all there are"
    assert len(exported.golden().frames) == 8


def test_parameters_are_the_checkpoints_weights(edge: Bundle) -> None:
    """The tiny trunk has no branches to fold; batch-norm statistics and text are no weights."""
    tensors = load_file(edge.path.with_suffix("") / "checkpoint.safetensors")
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    weights = sum(value.size for name, value in tensors.items() if not name.endswith(statistics))
    assert edge.manifest.model.parameters == weights


def test_flops_are_those_of_the_graphs_convolutions(edge: Bundle) -> None:
    """2 · outputs · inputs/groups · kernel for each: the tiny edge model has no other products.

    The trunk's first convolution takes in the average over 2×2 pixels, which the network's count leaves out.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(edge.graph("fp32")), data_prop=True)
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in model.graph.value_info
    }
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    flops = {
        node.input[1]: 2 * np.prod(shapes[node.output[0]]) * np.prod(weights[node.input[1]][1:])
        for node in convolutions
    }
    (averaging,) = (name for name in flops if name.startswith("network.trunk.visual.conv1."))
    flops[averaging] /= 4
    assert edge.manifest.model.flops == sum(flops.values())
