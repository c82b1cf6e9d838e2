"""Training that starts from a bundle's weights, named as bundles are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import runs
from bundles import WEIGHTS, write_bundle
from clipdepth.cli import main
from clipdepth.errors import BundleError, CheckpointError
from clipdepth_train.checkpoint import CHECKPOINT, read_checkpoint, save_checkpoint
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.models import EigenConfig
from clipdepth_train.recipe import DataConfig, Recipe
from clipdepth_train.recipes import RECIPES
from clipdepth_train.start import find_weights, like_start, load_start, pin_start
from hub_stand_in import asked_hub

# Straight to its end: nothing is learned, so that the run is what it started from.
UNTRAINED = {"epochs": 0}
STATE = {"ingredients": [{"part": "a tiny trunk", "licence": "MIT"}]}


@pytest.fixture(scope="module")
def trained() -> DepthModel:
    return build_model(runs.tiny_recipe("rooms", seed=3))


def halves(model: DepthModel) -> dict[str, torch.Tensor]:
    return {name: value.half() if value.dim() > 1 else value for name, value in model.state_dict().items()}


def write_weights(path: Path, trained: DepthModel, **recipe_changes: Any) -> Path:
    """A bundle in folder `path` with the weights, in half, and return it."""
    recipe = runs.tiny_recipe("rooms", seed=3, **recipe_changes)
    path.mkdir(parents=True)
    save_checkpoint(path / WEIGHTS, halves(trained), recipe, STATE)
    return write_bundle(path, weights=(path / WEIGHTS).read_bytes())


@pytest.fixture
def box(tmp_path: Path, trained: DepthModel) -> Path:
    """A box with a model `tiny` that has weights."""
    write_weights(tmp_path / "box" / "tiny", trained)
    return tmp_path / "box"


def started(box: Path, start: str, **recipe_changes: Any) -> DepthModel:
    recipe: Recipe = runs.tiny_recipe("rooms", seed=5, **recipe_changes)
    model = build_model(recipe)
    load_start(model, recipe, find_weights(start, box))
    return model


def test_halves_are_read_as_float32(box: Path) -> None:
    tensors, _, _ = read_checkpoint(box / "tiny" / WEIGHTS)
    assert {value.dtype for value in tensors.values()} == {torch.float32, torch.int64}


def test_a_name_in_the_box_gives_its_weights(box: Path, trained: DepthModel) -> None:
    model = started(box, "tiny")
    for name, value in trained.state_dict().items():
        assert model.state_dict()[name].dtype == value.dtype
        torch.testing.assert_close(model.state_dict()[name], value, rtol=2**-11, atol=2**-25)


def test_a_bundle_by_its_path_is_trained_on(tmp_path: Path, box: Path, trained: DepthModel) -> None:
    data = runs.write_rgbd_folder(tmp_path / "data")
    path = box / "tiny"
    same = runs.train_tiny_run(tmp_path / "same", data, start=str(path), **UNTRAINED)
    kept = load_file(same / CHECKPOINT)
    for name, value in halves(trained).items():
        assert torch.equal(kept[name], value.to(kept[name].dtype)), name
    _, _, state = read_checkpoint(same / CHECKPOINT)
    assert [part["part"] for part in state["ingredients"]] == ["data (training data)", "a tiny trunk"]
    further = load_file(runs.train_tiny_run(tmp_path / "further", data, start=str(path)) / CHECKPOINT)
    moved = max(float((further[name] - kept[name]).abs().max()) for name in kept if kept[name].dim() > 1)
    assert 0 < moved < 0.1


def test_a_start_on_the_hub_is_pinned_to_its_commit(
    tmp_path: Path, box: Path, trained: DepthModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPES["edge"], start="hf:someone/tiny")
    with asked_hub(tmp_path, monkeypatch) as hub:
        commit = hub.add("someone/tiny", {file.name: file.read_bytes() for file in (box / "tiny").iterdir()})
        pinned = pin_start(recipe)
        assert pinned.start == f"hf:someone/tiny@{commit}"
        model = started(box, pinned.start)
        asked = [path for path in hub.asked("GET") if "/api/models" in path]
    assert asked == ["/api/models/someone/tiny/revision/main"]
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=2**-11, atol=2**-25)


def test_weights_that_do_not_fit_name_the_options_that_do(box: Path) -> None:
    wide = replace(runs.TINY_EDGE, width=16)
    with pytest.raises(CheckpointError, match=r"weights\.safetensors do not fit the model: network\.") as error:
        started(box, "tiny", model=wide)
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith("more; they fit --model.width 8")
    with pytest.raises(CheckpointError, match=r"network of kind edge, this recipe's is depth-eigen$"):
        started(box, "tiny", model=EigenConfig())


def test_another_input_size_fits_where_the_network_takes_it(box: Path) -> None:
    started(box, "tiny", frames=DataConfig(96, 64, workers=0))


def test_a_name_that_means_nothing_lists_the_models(box: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        started(box, "tinny")
    assert str(error.value) == (
        "no run or bundle at tinny; the models that ship are tiny; give a model's name or a path"
    )


def test_a_bundle_without_weights_says_how_it_gets_them(box: Path) -> None:
    write_bundle(box / "bare")
    with pytest.raises(BundleError, match="bare has no weights to train on from; export its run with --weights"):
        started(box, "bare")


def test_damaged_weights_are_refused(box: Path) -> None:
    data = bytearray((box / "tiny" / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (box / "tiny" / WEIGHTS).write_bytes(data)
    with pytest.raises(BundleError, match=r"weights\.safetensors is not the file its manifest states"):
        started(box, "tiny")


def test_a_run_wins_nothing_over_the_box(
    box: Path, tmp_path: Path, trained: DepthModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run in the working directory that is called like a model is told of, and found by ./NAME."""
    other = build_model(runs.tiny_recipe("rooms", seed=7))
    here = tmp_path / "here" / "tiny"
    here.mkdir(parents=True)
    save_checkpoint(here / CHECKPOINT, other.state_dict(), runs.tiny_recipe("rooms", seed=7), {})
    monkeypatch.chdir(here.parent)
    name = "network.head.score.weight"
    assert torch.equal(started(box, "tiny").state_dict()[name], halves(trained)[name].float())
    assert "give ./tiny for that" in caplog.text
    assert torch.equal(started(box, "./tiny").state_dict()[name], other.state_dict()[name])


def test_what_no_option_says_is_as_in_the_start(box: Path) -> None:
    default = RECIPES["edge"]
    recipe = like_start(replace(default, start="tiny", epochs=3), default, box)
    assert recipe == replace(
        default,
        model=runs.TINY_EDGE,
        frames=replace(default.frames, height=64, width=64),
        normalisation="trunk",
        start="tiny",
        epochs=3,
    )


def test_what_an_option_says_stays(box: Path) -> None:
    default = RECIPES["edge"]
    asked = replace(
        default,
        model=replace(default.model, width=24),
        frames=replace(default.frames, height=96),
        normalisation="unit",
        start="tiny",
    )
    recipe = like_start(asked, default, box)
    assert recipe.model == replace(runs.TINY_EDGE, width=24)
    assert (recipe.frames.height, recipe.frames.width, recipe.normalisation) == (96, 64, "unit")


def test_another_kind_of_network_and_weights_that_are_not_there_change_nothing(box: Path) -> None:
    for name, start in (("msa-l1", "tiny"), ("edge", "nowhere"), ("edge", "")):
        recipe = replace(RECIPES[name], start=start)
        assert like_start(recipe, RECIPES[name], box) == recipe


def test_a_network_that_refines_stays_one(tmp_path: Path) -> None:
    coarse = replace(RECIPES["depth-eigen-coarse"], frames=DataConfig(64, 64))
    save_checkpoint(tmp_path / CHECKPOINT, {"a": torch.zeros(2)}, coarse, STATE)
    default = RECIPES["depth-eigen-refined"]
    recipe = like_start(replace(default, start=str(tmp_path)), default)
    assert recipe.model == default.model
    assert recipe.frames == replace(default.frames, height=64, width=64)


def test_the_command_needs_no_option_of_the_network(box: Path, tmp_path: Path) -> None:
    data = runs.write_rgbd_folder(tmp_path / "data")
    out, few = tmp_path / "run", ["--epochs", "1", "--batch-size", "2", "--frames.workers", "0"]
    assert main(["train", "edge", "--start", str(box / "tiny"), "--data", str(data), "--out", str(out), *few]) == 0
    _, recipe, _ = read_checkpoint(out / CHECKPOINT)
    assert recipe.model == runs.TINY_EDGE
