"""What else a bundle can hold: weights to train on from, measured accuracy, a description."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.metrics import METRIC_NAMES
from clipdepth.cli import main
from clipdepth_export.weights import write_weights
from clipdepth_train.checkpoint import CHECKPOINT, load_run, read_checkpoint, save_checkpoint
from runs import train_tiny_run

DESCRIPTION = "a tiny trunk, trained on two pictures of a room"


@pytest.fixture(scope="module")
def run(export_once: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny edge run, its weights from a file in a private folder."""
    edge: Bundle = export_once("edge")
    return Path(shutil.copytree(edge.path.with_suffix(""), tmp_path_factory.mktemp("runs") / "edge"))


@pytest.fixture(scope="module")
def evaluated(run: Path) -> list[Path]:
    """What `clipdepth evaluate` says of the run, twice."""
    files = [run.parent / "eval.json", run.parent / "mirrored.json"]
    assert main(["evaluate", str(run), "--baseline", "--json", str(files[0])]) == 0
    assert main(["evaluate", str(run), "--split", "train", "--mirror", "--json", str(files[1])]) == 0
    return files


@pytest.fixture(scope="module")
def bundle(run: Path, evaluated: list[Path]) -> Bundle:
    """The run's bundle with all that can be put into it."""
    out = run.parent / "full.bundle"
    measured = ["--accuracy", *map(str, evaluated)]
    assert main(["export", str(run), "--out", str(out), "--weights", *measured, "--description", DESCRIPTION]) == 0
    return open_bundle(out)


def test_the_manifest_states_what_was_measured(bundle: Bundle, evaluated: list[Path]) -> None:
    assert bundle.manifest.description == DESCRIPTION
    test, train = bundle.manifest.accuracy
    reports = [json.loads(file.read_text()) for file in evaluated]
    assert (test.data, test.split, test.crop, test.mirrored, test.align) == (
        "rooms-pairs",
        "test",
        "all",
        False,
        "none",
    )
    assert (train.split, train.mirrored) == ("train", True)
    for found, report in zip((test, train), reports, strict=True):
        assert found.frames == report["frames"]
        assert {name: getattr(found.metrics, name) for name in METRIC_NAMES} == report["metrics"]["edge"]


def test_weights_are_a_checkpoint_of_halves_without_private_paths(bundle: Bundle, run: Path) -> None:
    path = bundle.weights()
    assert bundle.manifest.weights == path.name
    assert path.name in bundle.manifest.files
    stored, whole = load_file(path), load_file(run / CHECKPOINT)
    assert stored.keys() == whole.keys()
    for name, value in whole.items():
        is_half = value.dim() > 1
        assert stored[name].dtype == (torch.float16 if is_half else value.dtype), name
        torch.testing.assert_close(stored[name].to(value.dtype), value, rtol=2**-11 if is_half else 0, atol=2**-25)
    assert path.stat().st_size < 0.6 * (run / CHECKPOINT).stat().st_size
    with safe_open(path, "pt") as file:
        metadata = "".join(file.metadata().values())
    assert "private" not in metadata
    assert str(run.parent) not in metadata
    _, recipe, state = read_checkpoint(path)
    assert state["camera"] == {"fx": bundle.manifest.camera.fx, "fy": bundle.manifest.camera.fy}
    assert recipe.frames == read_checkpoint(run / CHECKPOINT)[1].frames


def test_depth_by_the_halves_is_close_to_the_graphs(bundle: Bundle, tmp_path: Path) -> None:
    """The weights as a run of their own give the depth that was verified, to half precision."""
    shutil.copy(bundle.weights(), tmp_path / CHECKPOINT)
    model, _ = load_run(tmp_path)
    golden = bundle.golden()
    with torch.no_grad():
        depth = model(torch.from_numpy(golden.frames)).numpy()
    assert np.mean(np.abs(depth / golden.depth - 1)) < 5e-3


def test_training_starts_from_the_bundle(bundle: Bundle, run: Path, data: Path, tmp_path: Path) -> None:
    _, recipe, _ = read_checkpoint(run / CHECKPOINT)
    changes = {"model": recipe.model, "frames": recipe.frames, "normalisation": recipe.normalisation}
    started = train_tiny_run(tmp_path / "started", data, start=str(bundle.path), epochs=0, **changes)
    kept = load_file(started / CHECKPOINT)
    for name, value in load_file(bundle.weights()).items():
        assert torch.equal(kept[name], value.to(kept[name].dtype)), name


def test_without_the_options_a_bundle_holds_nothing_of_it(edge: Bundle) -> None:
    assert (edge.manifest.weights, edge.manifest.accuracy, edge.manifest.description) == (None, [], "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"split": "all"}, "Invalid enum value 'all'"),
        ({"metrics": {"edge": {"rel": 0.1}}}, "missing required field"),
        ({"metrics": {"other": None}}, "Expected `object`"),
        (None, "JSON is malformed"),
    ],
)
def test_another_file_than_evaluates_is_refused(
    run: Path, evaluated: list[Path], change: Any, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = json.loads(evaluated[0].read_text())
    (tmp_path / "e.json").write_text(json.dumps({**report, **change}) if change else "rel 0.1")
    assert main(["export", str(run), "--out", str(tmp_path / "b"), "--accuracy", str(tmp_path / "e.json")]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"clipdepth: error: {tmp_path / 'e.json'}: ")
    assert told in err
    assert "give what 'clipdepth evaluate edge --json FILE' writes" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "b").exists()


def test_the_accuracy_of_another_run_is_refused(
    run: Path, evaluated: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = json.loads(evaluated[0].read_text())
    report["metrics"]["msa"] = report["metrics"].pop("edge")
    (tmp_path / "e.json").write_text(json.dumps(report))
    assert main(["export", str(run), "--out", str(tmp_path / "b"), "--accuracy", str(tmp_path / "e.json")]) == 1
    assert "measures constant median, msa, not edge; evaluate edge with --json" in capsys.readouterr().err


def test_the_accuracy_of_a_bundle_on_an_engine_is_refused(
    run: Path, evaluated: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = {**json.loads(evaluated[0].read_text()), "engine": "openvino"}
    (tmp_path / "e.json").write_text(json.dumps(report))
    assert main(["export", str(run), "--out", str(tmp_path / "b"), "--accuracy", str(tmp_path / "e.json")]) == 1
    assert "measures a bundle on openvino; evaluate the run edge itself with --json" in capsys.readouterr().err


def test_the_accuracy_of_a_search_on_training_blocks_is_refused(
    run: Path, evaluated: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors, recipe, state = read_checkpoint(run / CHECKPOINT)
    held_out = replace(recipe, frames=replace(recipe.frames, held_out=2))
    (tmp_path / "edge").mkdir()
    save_checkpoint(tmp_path / "edge" / CHECKPOINT, tensors, held_out, state)
    accuracy = ["--accuracy", str(evaluated[0])]
    assert main(["export", str(tmp_path / "edge"), "--out", str(tmp_path / "b"), *accuracy]) == 2
    assert "is evaluated on training pairs (--frames.held-out)" in capsys.readouterr().err


def test_median_alignment_is_stated(run: Path, evaluated: list[Path], tmp_path: Path) -> None:
    report = {**json.loads(evaluated[0].read_text()), "align": "median", "data": "/home/me/nyu/"}
    (tmp_path / "e.json").write_text(json.dumps(report))
    assert main(["export", str(run), "--out", str(tmp_path / "b"), "--accuracy", str(tmp_path / "e.json")]) == 0
    (found,) = open_bundle(tmp_path / "b").manifest.accuracy
    assert (found.align, found.data) == ("median", "nyu")


def test_what_half_cannot_hold_stays_whole(run: Path, tmp_path: Path) -> None:
    tensors, recipe, state = read_checkpoint(run / CHECKPOINT)
    name = "network.head.score.weight"
    save_checkpoint(tmp_path / CHECKPOINT, {**tensors, name: tensors[name] + 1e6}, recipe, state)
    write_weights(tmp_path, recipe, tmp_path / "w.safetensors")
    assert torch.equal(load_file(tmp_path / "w.safetensors")[name], tensors[name] + 1e6)
