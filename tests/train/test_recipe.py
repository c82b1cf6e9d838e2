"""Recipes: as JSON, from the command line, and those that make no sense."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipdepth.cli import main
from clipdepth.errors import CheckpointError, UsageError
from clipdepth_train.clip import ClipConfig
from clipdepth_train.commands import train
from clipdepth_train.models import DepthClipConfig, EdgeConfig, MsaConfig
from clipdepth_train.recipe import (
    RECIPES,
    AugmentConfig,
    DataConfig,
    LossConfig,
    OptimConfig,
    Recipe,
    decode_recipe,
    encode_recipe,
    without_download,
)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name: str) -> None:
    recipe = RECIPES[name]
    changed = replace(recipe, data="x", seed=7, model=replace(recipe.model, clip=ClipConfig("RN50", "none")))
    for one in (recipe, changed):
        plain = json.loads(json.dumps(encode_recipe(one)))
        assert plain["model"]["kind"] == name
        assert decode_recipe(plain, "here") == one


def without(plain: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if key != name}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda plain: without(plain, "optim"), "optim"),
        (lambda plain: without(plain, "model"), "model"),
        (lambda plain: plain | {"model": without(plain["model"], "kind")}, "kind"),
        (lambda plain: plain | {"model": plain["model"] | {"kind": "resnet"}}, "resnet"),
        (lambda plain: plain | {"model": plain["model"] | {"bins": "many"}}, "bins"),
        (lambda plain: plain | {"epochs": "ten"}, "int"),
        (lambda plain: plain | {"batch_size": 0}, "--batch-size"),
        (lambda plain: plain | {"loss": {"kind": "l3"}}, "l3"),
        (lambda plain: [plain], "list"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_told(damage: Any, told: str) -> None:
    with pytest.raises(CheckpointError, match=r"somewhere holds no recipe .*; train again") as e:
        decode_recipe(damage(encode_recipe(RECIPES["edge"])), "somewhere")
    assert told in str(e.value)


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        ("--epochs", {"epochs": -1}),
        ("--batch-size", {"batch_size": 0}),
        ("--save-every", {"save_every": 0}),
        ("--evaluate-every", {"evaluate_every": 0}),
        ("--frames.height", {"frames": DataConfig(height=0)}),
        ("--frames.width", {"frames": DataConfig(width=-1)}),
        ("--frames.max-depth", {"frames": DataConfig(max_depth=0)}),
        ("--frames.depth-scale", {"frames": DataConfig(depth_scale=float("nan"))}),
        ("--frames.rooms", {"frames": DataConfig(rooms=0)}),
        ("--frames.workers", {"frames": DataConfig(workers=-1)}),
        ("--augment.rotate", {"augment": AugmentConfig(rotate=-1)}),
        ("--augment.zoom", {"augment": AugmentConfig(zoom=0.5)}),
        ("--augment.flip", {"augment": AugmentConfig(flip=1.5)}),
        ("--augment.jitter", {"augment": AugmentConfig(jitter=1)}),
        ("--loss.silog-lambda", {"loss": LossConfig(silog_lambda=1.1)}),
        ("--optim.learning-rate", {"optim": OptimConfig(learning_rate=0)}),
        ("--optim.trunk-learning-rate", {"optim": OptimConfig(trunk_learning_rate=-1)}),
        ("--optim.momentum", {"optim": OptimConfig(momentum=-1)}),
        ("--optim.weight-decay", {"optim": OptimConfig(weight_decay=-1)}),
        ("--optim.clip-norm", {"optim": OptimConfig(clip_norm=-1)}),
        ("--optim.step-epochs", {"optim": OptimConfig(step_epochs=0)}),
    ],
)
def test_values_that_make_no_sense(option: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=rf"^{option} is .*; it has to be "):
        replace(RECIPES["edge"], **wrong)


def test_a_recipe_without_download_has_random_weights_and_is_the_same_otherwise() -> None:
    for recipe in RECIPES.values():
        model = without_download(recipe.model)
        assert model.clip == ClipConfig(recipe.model.clip.name, "none")
        assert replace(model, clip=recipe.model.clip) == recipe.model


def test_the_papers_recipes() -> None:
    msa, depthclip = RECIPES["msa"], RECIPES["depthclip"]
    assert (msa.frames.height, msa.frames.width, msa.frames.picture, msa.frames.dense) == (416, 544, "paper", True)
    assert (msa.epochs, msa.batch_size, msa.mirror, msa.normalisation) == (90, 8, True, "imagenet")
    assert (msa.optim.optimizer, msa.optim.learning_rate, msa.optim.weight_decay) == ("sgd", 0.002, 1e-5)
    assert (msa.optim.schedule, msa.optim.step_epochs, msa.optim.trunk_learning_rate) == ("step", 30, 0)
    assert (msa.augment.rotate, msa.augment.zoom, msa.augment.jitter) == (2.5, 1, 0.2)
    assert msa.model == MsaConfig(ClipConfig("RN50-quickgelu", "openai"), temperature=0.001)
    assert depthclip.model == DepthClipConfig(ClipConfig("RN50-quickgelu", "openai"), temperature=0.1)
    assert (depthclip.epochs, depthclip.mirror, depthclip.normalisation) == (0, True, "imagenet")


class Recording:
    """In a trainer's place: what the command line made of its arguments."""

    made: list[tuple[Recipe, Path]]

    def __init__(self, recipe: Recipe, out: Path, console: object) -> None:
        self.made.append((recipe, out))
        raise UsageError("parsed")


def parsed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[Recipe, Path]:
    Recording.made = []
    monkeypatch.setattr(train, "Trainer", Recording)
    with pytest.raises(UsageError, match="parsed"):
        train.main(arguments)
    ((recipe, out),) = Recording.made
    return recipe, out


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipes_name_alone_gives_it_as_it_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert parsed(monkeypatch, name) == (RECIPES[name], Path("runs") / name)


def test_fields_at_every_depth_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    options = """--data nyu --out here --epochs 3 --mirror --mixed-precision bf16 --normalisation clip --seed 5
        --frames.height 96 --frames.picture paper --frames.dense --augment.flip 0 --optim.learning-rate 3e-4
        --optim.optimizer sgd --loss.kind l1 --model.bins 32 --model.clip.name RN50 --model.clip.weights none"""
    recipe, out = parsed(monkeypatch, "edge", *options.split())
    edge = RECIPES["edge"]
    assert out == Path("here")
    assert recipe == replace(
        edge,
        data="nyu",
        epochs=3,
        mirror=True,
        mixed_precision="bf16",
        normalisation="clip",
        seed=5,
        frames=replace(edge.frames, height=96, picture="paper", dense=True),
        augment=replace(edge.augment, flip=0.0),
        optim=replace(edge.optim, learning_rate=3e-4, optimizer="sgd"),
        loss=LossConfig("l1"),
        model=EdgeConfig(ClipConfig("RN50", "none"), bins=32),
    )


def test_the_other_models_own_fields_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, _ = parsed(monkeypatch, "msa", "--model.initial-depth", "--no-mirror", "--augment.rotate", "0")
    assert recipe.model == MsaConfig(RECIPES["msa"].model.clip, initial_depth=True)
    assert not recipe.mirror
    assert recipe.augment.rotate == 0
    recipe, _ = parsed(monkeypatch, "depthclip", "--model.temperature", "0.05")
    assert recipe.model == DepthClipConfig(RECIPES["depthclip"].model.clip, temperature=0.05)


def test_an_unknown_recipe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "mas"]) == 2
    error = capsys.readouterr().err
    assert error == "clipdepth: error: unknown recipe 'mas'; choose one of depthclip, msa, edge\n"


def test_a_bad_value_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "edge", "--frames.height", "0"]) == 2
    assert capsys.readouterr().err == "clipdepth: error: --frames.height is 0; it has to be more than 0\n"


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["--epochs", "many"], ["--model.bins", "1"], ["--optim.optimizer", "lion"]]
)
def test_misuse_exits_with_2_and_names_the_option(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", "edge", *arguments])
    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--help"], 0)])
def test_train_alone_lists_the_recipes(capsys: pytest.CaptureFixture[str], arguments: list[str], status: int) -> None:
    assert main(["train", *arguments]) == status
    out = capsys.readouterr().out
    assert "usage: clipdepth train RECIPE" in out
    for name, recipe in RECIPES.items():
        assert name in out
        assert recipe.model.clip.name in out
