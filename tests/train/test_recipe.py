"""Recipes: as JSON, from the command line, and those that make no sense."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipdepth.cli import main
from clipdepth.errors import CheckpointError, UsageError
from clipdepth_train.commands import train
from clipdepth_train.models import (
    ClipAdapterConfig,
    CoarseAdapterConfig,
    DepthClipConfig,
    EdgeConfig,
    EigenConfig,
    MsaConfig,
)
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import (
    AugmentConfig,
    DataConfig,
    LossConfig,
    OptimConfig,
    Recipe,
    ViewConfig,
    trunk_of,
    with_trunk,
    without_download,
)
from clipdepth_train.recipe_record import decode_recipe, encode_recipe
from clipdepth_train.recipes import RECIPES

NAMES = [
    *("depthclip", "clip-adapter", "clip-adapter-image", "clip-adapter-text", "clip-adapter-ssl"),
    *("depth-eigen-coarse", "depth-eigen-refined", "coarse-adapter", "refined-adapter"),
    *("msa-ssl", "msa-ssl-sam", "msa-ssl-clip", "msa-ssl-clip-sam"),
    *("msa-views", "msa-views-sam", "msa-views-clip", "msa-views-clip-sam"),
    *("msa-l2", "msa-l2-sam", "msa-l2-clip", "msa-l2-clip-sam"),
    *("msa-l1", "msa-l1-sam", "msa-l1-clip", "msa-l1-clip-sam"),
    "edge",
    "edge-nyu",
    "space",
]
RN50 = PretrainedConfig("RN50-quickgelu", "openai")


def kind_of(name: str) -> str:
    """The kind of model that a recipe's name speaks of."""
    kinds = {"msa-": "msa", "clip-adapter": "clip-adapter", "depth-eigen": "depth-eigen", "refined": "coarse-adapter"}
    return next((kind for start, kind in kinds.items() if name.startswith(start)), name.removesuffix("-nyu"))


def with_clip(recipe: Recipe, clip: PretrainedConfig) -> Recipe:
    """The recipe with another CLIP, where it has one."""
    if trunk_of(recipe.model) is None:
        return recipe
    return replace(recipe, model=with_trunk(recipe.model, name=clip.name, weights=clip.weights))


def test_there_is_a_recipe_for_each_row_of_the_papers_tables() -> None:
    assert sorted(RECIPES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_survives_json(name: str) -> None:
    recipe = RECIPES[name]
    changed = replace(with_clip(recipe, PretrainedConfig("RN50", "none")), data=("x",), seed=7, start="there")
    for one in (recipe, changed):
        plain = json.loads(json.dumps(encode_recipe(one)))
        assert plain["model"]["kind"] == kind_of(name)
        assert decode_recipe(plain, "here") == one


def without(plain: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if key != name}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
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


def test_what_an_earlier_version_did_not_write_has_its_default() -> None:
    plain = encode_recipe(replace(RECIPES["edge"], seed=7))
    earlier = without(plain, "teacher") | {"loss": without(plain["loss"], "distillation")}
    assert decode_recipe(earlier, "here") == replace(RECIPES["edge"], seed=7)
    # Of the network too, whose fields are read by another way; and all of them are written again.
    earlier["model"] = without(plain["model"], "bins")
    assert encode_recipe(decode_recipe(earlier, "here")) == plain


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
        ("--augment.tint", {"augment": AugmentConfig(tint=-0.1)}),
        ("--augment.gamma", {"augment": AugmentConfig(gamma=-1.0)}),
        ("--augment.sensor", {"augment": AugmentConfig(sensor=1.5)}),
        ("--frames.held-out", {"frames": DataConfig(held_out=1)}),
        ("--frames.held-out", {"frames": DataConfig(held_out=-2)}),
        ("--loss.silog-lambda", {"loss": LossConfig(silog_lambda=1.1)}),
        ("--optim.learning-rate", {"optim": OptimConfig(learning_rate=0)}),
        ("--optim.trunk-learning-rate", {"optim": OptimConfig(trunk_learning_rate=-1)}),
        ("--optim.momentum", {"optim": OptimConfig(momentum=-1)}),
        ("--optim.weight-decay", {"optim": OptimConfig(weight_decay=-1)}),
        ("--optim.clip-norm", {"optim": OptimConfig(clip_norm=-1)}),
        ("--optim.step-epochs", {"optim": OptimConfig(step_epochs=0)}),
        ("--optim.warm-up-epochs", {"optim": OptimConfig(warm_up_epochs=-1)}),
        ("--optim.warm-up-rate", {"optim": OptimConfig(warm_up_rate=-1.0)}),
        ("--optim.ema", {"optim": OptimConfig(ema=1.0)}),
        ("--optim.ema", {"optim": OptimConfig(ema=-0.1)}),
        ("--optim.average-epochs", {"optim": OptimConfig(average_epochs=-1)}),
        ("--optim.average-epochs", {"optim": OptimConfig(average_epochs=3), "epochs": 2}),
        ("--accumulate", {"accumulate": 0}),
        ("--view.rotate", {"view": ViewConfig(rotate=181.0)}),
        ("--view.shift", {"view": ViewConfig(shift=-1.0)}),
        ("--view.flip", {"view": ViewConfig(flip=1.5)}),
        ("--loss.ssim", {"loss": LossConfig(ssim=1.5)}),
        ("--loss.smoothness", {"loss": LossConfig(smoothness=-1.0)}),
        ("--loss.gradient", {"loss": LossConfig(gradient=-1.0)}),
        ("--loss.bins", {"loss": LossConfig(bins=-1.0)}),
        ("--loss.symmetry", {"loss": LossConfig(symmetry=-1.0)}),
        ("--loss.photometric", {"loss": LossConfig(photometric=-1.0)}),
        ("--loss.distillation", {"loss": LossConfig(distillation=-1.0)}),
    ],
)
def test_values_that_make_no_sense(option: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=rf"^{option} is .*; it has to be "):
        replace(RECIPES["edge"], **wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"batch_size": 6, "accumulate": 4}, "--batch-size 6 cannot be cut into --accumulate 4 parts"),
        ({"loss": LossConfig(photometric=1.0)}, r"--loss.photometric is 1.0 and --view.kind none; .*takes both"),
        ({"loss": LossConfig("none")}, "--loss.kind none leaves nothing to learn; give a weight, "),
        ({"loss": LossConfig(distillation=1.0)}, "--loss.distillation is 1.0, and nobody teaches; give --teacher"),
        ({"data": ()}, "--data names nothing; give a folder of RGB-D pairs"),
        ({"data": ("rooms", "nyu:0")}, "--data 'nyu:0' is not NAME or NAME:WEIGHT with a weight above 0"),
        ({"view": ViewConfig("warped")}, r"--loss.photometric is 0.0 and --view.kind warped; .*takes both"),
        ({"frames": DataConfig(segments="vit_b-1")}, "--frames.segments vit_b-1 is for a model with --model.segmen"),
        ({"model": EigenConfig(), "frames": DataConfig(segments="x")}, "--frames.segments x is for a model with"),
    ],
)
def test_parts_that_do_not_fit_together(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=f"^{told}"):
        replace(RECIPES["edge"], **wrong)


def test_several_datasets_have_neither_second_views_nor_masks() -> None:
    several = {"data": ("rooms", "nyu")}
    with pytest.raises(UsageError, match=r"^--view.kind warped is for one camera, so for one --data; leave the others"):
        replace(RECIPES["edge"], **several, view=ViewConfig("warped"), loss=LossConfig(photometric=1.0))
    with pytest.raises(UsageError, match=r"^--frames.segments vit_b-1 is of one dataset; leave out the other --data$"):
        replace(RECIPES["msa-l1-sam"], **several, frames=DataConfig(segments="vit_b-1"))


def test_a_teacher_counts_once_where_no_weight_is_given() -> None:
    assert replace(RECIPES["edge"], teacher="large").loss == replace(RECIPES["edge"].loss, distillation=1.0)
    assert replace(RECIPES["edge"], teacher="large", loss=LossConfig(distillation=0.3)).loss.distillation == 0.3
    replace(RECIPES["edge"], teacher="large", loss=LossConfig("none"))


def test_the_one_dataset_of_an_earlier_version_is_read() -> None:
    plain = encode_recipe(RECIPES["edge"]) | {"data": "nyu"}
    assert decode_recipe(plain, "here") == replace(RECIPES["edge"], data=("nyu",))


def test_a_recipe_for_what_only_the_user_can_name_says_so_before_it_trains() -> None:
    with pytest.raises(UsageError, match=r"^a refining network needs the run of the coarse one; .*--start$"):
        RECIPES["refined-adapter"].require_inputs()
    with pytest.raises(UsageError, match=r"^a model with SAM needs its segmentation .*--frames\.segments$"):
        RECIPES["msa-l2-sam"].require_inputs()
    replace(RECIPES["refined-adapter"], start="run").require_inputs()
    sam = RECIPES["msa-l2-sam"]
    replace(sam, frames=replace(sam.frames, segments="vit_b-1")).require_inputs()
    free = [name for name in NAMES if not name.endswith(("-sam", "-refined")) and name != "refined-adapter"]
    for name in free:
        RECIPES[name].require_inputs()


def test_a_recipe_without_download_has_random_weights_and_is_the_same_otherwise() -> None:
    for recipe in RECIPES.values():
        model, clip = without_download(recipe.model), trunk_of(recipe.model)
        if clip is None:
            assert model == recipe.model
        else:
            assert trunk_of(model) == PretrainedConfig(clip.name, "none")
            assert with_trunk(model, weights=clip.weights) == recipe.model


def test_which_recipes_have_a_clip() -> None:
    assert {name for name in NAMES if trunk_of(RECIPES[name].model) is None} == {
        "depth-eigen-coarse",
        "depth-eigen-refined",
    }
    others = {name: trunk_of(recipe.model) for name, recipe in RECIPES.items()}
    assert others.pop("edge-nyu") == PretrainedConfig("tf_efficientnet_lite2", "imagenet")
    assert others.pop("space") == PretrainedConfig("ViT-B-16-quickgelu", "openai")
    assert set(others.values()) == {None, RN50}


def test_the_papers_recipes() -> None:
    msa, depthclip = RECIPES["msa-l1"], RECIPES["depthclip"]
    assert (msa.frames.height, msa.frames.width, msa.frames.picture, msa.frames.dense) == (416, 544, "paper", True)
    assert (msa.epochs, msa.batch_size, msa.mirror, msa.normalisation) == (90, 8, True, "imagenet")
    assert (msa.optim.optimizer, msa.optim.learning_rate, msa.optim.weight_decay) == ("sgd", 0.002, 1e-5)
    assert (msa.optim.schedule, msa.optim.step_epochs, msa.optim.trunk_learning_rate) == ("step", 30, 0)
    assert (msa.augment.rotate, msa.augment.zoom, msa.augment.jitter) == (2.5, 1, 0.2)
    assert msa.model == MsaConfig(PretrainedConfig("RN50-quickgelu", "openai"), temperature=0.001)
    assert depthclip.model == DepthClipConfig(PretrainedConfig("RN50-quickgelu", "openai"), temperature=0.1)
    assert (depthclip.epochs, depthclip.mirror, depthclip.normalisation) == (0, True, "imagenet")


PAPERS = [name for name in NAMES if not name.startswith(("edge", "space"))]
TRAINED = [name for name in PAPERS if name != "depthclip"]
EIGEN = [name for name in PAPERS if name.startswith(("depth-eigen", "coarse", "refined"))]


@pytest.mark.parametrize("name", PAPERS)
def test_all_of_the_papers_models_see_its_pictures(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.frames == DataConfig(416, 544, picture="paper", dense=True)
    assert recipe.normalisation == "imagenet"
    assert (recipe.optim.trunk_learning_rate, recipe.optim.ema, recipe.start) == (0, 0, "")


@pytest.mark.parametrize("name", TRAINED)
def test_all_of_the_papers_models_are_trained_by_sgd_with_momentum_and_no_more(name: str) -> None:
    optim = RECIPES[name].optim
    # Gradients are clipped where the paper's rate makes the loss diverge.
    assert (optim.optimizer, optim.momentum, optim.clip_norm) == ("sgd", 0.9, float(name in EIGEN))


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("clip-adapter")])
def test_the_clip_adapters(name: str) -> None:
    recipe = RECIPES[name]
    image, text = name != "clip-adapter-text", name != "clip-adapter-image"
    assert recipe.model == ClipAdapterConfig(RN50, image, text, temperature=0.1)
    optim = recipe.optim
    assert (optim.learning_rate, optim.weight_decay, optim.schedule, optim.step_epochs) == (0.02, 1e-4, "step", 10)
    assert (recipe.epochs, recipe.batch_size, recipe.mirror) == (30, 64, True)
    if name == "clip-adapter-ssl":
        assert recipe.loss == LossConfig("none", smoothness=0.001, photometric=1.0, ssim=0.85)
    else:
        assert recipe.loss == LossConfig("l2", smoothness=0.001)


@pytest.mark.parametrize(
    ("name", "model", "rate"),
    [
        ("depth-eigen-coarse", EigenConfig(), 0.02),
        ("depth-eigen-refined", EigenConfig(refined=True), 0.002),
        ("coarse-adapter", CoarseAdapterConfig(RN50, temperature=0.1), 0.02),
        ("refined-adapter", CoarseAdapterConfig(RN50, refined=True, temperature=0.1), 0.002),
    ],
)
def test_the_two_phases(name: str, model: Any, rate: float) -> None:
    recipe, optim = RECIPES[name], RECIPES[name].optim
    assert recipe.model == model
    assert recipe.loss == LossConfig("l2", native=True, smoothness=0.001)
    assert (optim.learning_rate, optim.weight_decay, recipe.epochs) == (rate, 0.1, 10)
    assert (optim.schedule, optim.milestones) == ("milestones", (1, 2, 3, 4, 5, 10, 15, 20))
    assert (optim.warm_up_epochs, optim.warm_up_rate) == (1, 0.001)


@pytest.mark.parametrize("supervision", ["ssl", "views", "l2", "l1"])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("sam", [False, True])
def test_the_multi_scale_adapters(supervision: str, clip: bool, sam: bool) -> None:
    recipe = RECIPES[f"msa-{supervision}{'-clip' if clip else ''}{'-sam' if sam else ''}"]
    assert recipe.model == MsaConfig(RN50, initial_depth=clip, temperature=0.001, segmentation=sam)
    optim = recipe.optim
    assert (optim.learning_rate, optim.weight_decay, optim.schedule, optim.step_epochs) == (0.002, 1e-5, "step", 30)
    assert (recipe.epochs, recipe.batch_size, recipe.mirror) == (90, 8, True)
    self_supervised = LossConfig("none", smoothness=0.001, photometric=1.0, ssim=0.85)
    assert recipe.loss == {"l1": LossConfig("l1"), "l2": LossConfig("l2")}.get(supervision, self_supervised)
    assert recipe.view.kind == {"ssl": "warped", "views": "neighbour"}.get(supervision, "none")


@pytest.mark.parametrize("name", TRAINED)
def test_pictures_are_turned_for_supervision_only_and_the_second_view_by_up_to_10_degrees(name: str) -> None:
    recipe = RECIPES[name]
    supervised = recipe.loss.kind != "none"
    assert recipe.augment == AugmentConfig(rotate=2.5 if supervised else 0, zoom=1, flip=0.5, jitter=0.2)
    assert (recipe.view.kind == "none") == supervised
    assert (recipe.view.rotate, recipe.view.shift, recipe.view.flip) == (10, 10, 0.5)


def test_the_edge_model_is_ours() -> None:
    edge = RECIPES["edge"]
    assert edge.loss == LossConfig("silog", silog_lambda=0.85)
    assert (edge.optim.optimizer, edge.optim.schedule, edge.optim.ema) == ("adamw", "onecycle", 0.998)
    assert (edge.optim.learning_rate, edge.optim.trunk_learning_rate) == (1e-3, 1e-4)


class Recording:
    """In a trainer's place: what the command line made of its arguments."""

    made: list[tuple[Recipe, Path]]

    def __init__(self, recipe: Recipe, out: Path, console: object, machine: object) -> None:
        self.made.append((recipe, out))
        raise UsageError("parsed")


def parsed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[Recipe, Path]:
    Recording.made = []
    monkeypatch.setattr(train, "Trainer", Recording)
    with pytest.raises(UsageError, match="parsed"):
        train.main(arguments)
    ((recipe, out),) = Recording.made
    return recipe, out


@pytest.mark.parametrize("name", NAMES)
def test_a_recipes_name_alone_gives_it_as_it_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert parsed(monkeypatch, name) == (RECIPES[name], Path("runs") / name)


def test_fields_at_every_depth_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    options = """--data nyu --out here --epochs 3 --mirror --mixed-precision bf16 --normalisation clip --seed 5
        --frames.height 96 --frames.picture paper --frames.dense --augment.flip 0 --optim.learning-rate 3e-4
        --optim.optimizer sgd --loss.kind l1 --model.bins 32 --model.trunk.name RN50 --model.trunk.weights none"""
    recipe, out = parsed(monkeypatch, "edge", *options.split())
    edge = RECIPES["edge"]
    assert out == Path("here")
    assert recipe == replace(
        edge,
        data=("nyu",),
        epochs=3,
        mirror=True,
        mixed_precision="bf16",
        normalisation="clip",
        seed=5,
        frames=replace(edge.frames, height=96, picture="paper", dense=True),
        augment=replace(edge.augment, flip=0.0),
        optim=replace(edge.optim, learning_rate=3e-4, optimizer="sgd"),
        loss=LossConfig("l1"),
        model=EdgeConfig(PretrainedConfig("RN50", "none"), bins=32),
    )


def test_the_other_models_own_fields_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, _ = parsed(monkeypatch, "msa-l1", "--model.initial-depth", "--no-mirror", "--augment.rotate", "0")
    assert recipe.model == MsaConfig(RN50, initial_depth=True)
    assert not recipe.mirror
    assert recipe.augment.rotate == 0
    recipe, _ = parsed(monkeypatch, "depthclip", "--model.temperature", "0.05")
    assert recipe.model == DepthClipConfig(RN50, temperature=0.05)
    recipe, _ = parsed(monkeypatch, "clip-adapter", "--model.no-image-adapter", "--start", "runs/first")
    assert recipe.model == ClipAdapterConfig(RN50, image_adapter=False)
    assert recipe.start == "runs/first"
    recipe, _ = parsed(monkeypatch, "depth-eigen-coarse", "--optim.milestones", "2", "7", "--accumulate", "4")
    assert (recipe.optim.milestones, recipe.accumulate) == ((2, 7), 4)


def test_self_supervision_can_be_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--view.kind=neighbour", "--loss.kind=none", "--loss.photometric=0.5", "--loss.smoothness=0.01"]
    recipe, _ = parsed(monkeypatch, "edge", *options)
    assert recipe.view == ViewConfig("neighbour")
    assert recipe.loss == LossConfig("none", smoothness=0.01, photometric=0.5)


@pytest.mark.parametrize("given", [[], ["--data", "nyu"]])
def test_a_recipe_of_one_dataset_takes_the_one_that_is_given(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Self-supervision and segments refuse a second dataset, which the default was counted as."""
    recipe, _ = parsed(monkeypatch, "msa-ssl", *given)
    assert recipe.data == (tuple(given[1:]) or ("rooms",))
    recipe, _ = parsed(monkeypatch, "msa-l1-sam", "--frames.segments", "vit_b-1", *given)
    assert recipe.data == (tuple(given[1:]) or ("rooms",))


def test_an_unknown_recipe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "mas"]) == 2
    error = capsys.readouterr().err
    assert error == f"clipdepth: error: unknown recipe 'mas'; choose one of {', '.join(NAMES)}\n"
    assert main(["train", "edge-ny"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("clipdepth: error: unknown recipe 'edge-ny'; did you mean 'edge-nyu'? There are depthclip,")
    assert error.count("\n") == 1


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
    lines = [line.split() for line in out.splitlines()]
    for name, recipe in RECIPES.items():
        clip = trunk_of(recipe.model)
        (line,) = [line for line in lines if line and line[0] == name]
        assert " ".join(line[1:]).startswith(clip.name if clip else "no trunk")


@pytest.mark.parametrize("farthest", [10.0, 80.0])
def test_a_model_without_a_range_of_its_own_has_that_of_the_data(farthest: float) -> None:
    frames = DataConfig(max_depth=farthest)
    for model in (MsaConfig(), EigenConfig(), CoarseAdapterConfig()):
        assert Recipe(model, frames=frames).depth_range == (0.001, farthest)
    assert Recipe(EdgeConfig(max_depth=25), frames=frames).depth_range == (0.3, 25)
    assert Recipe(DepthClipConfig(), frames=frames).depth_range == (1, 3)
