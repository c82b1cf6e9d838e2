"""What was tried, by name: each experiment changes one thing of the one called 'base'."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from variants import VariantConfig

from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import Recipe
from clipdepth_train.recipes import RECIPES

EPOCHS = 8
_RN50 = PretrainedConfig("RN50", "none")
_S0 = PretrainedConfig("MobileCLIP2-S0", "none")
_S2 = PretrainedConfig("MobileCLIP2-S2", "none")
_CONVNEXT = PretrainedConfig("convnext_tiny", "none")
_BASE = replace(
    RECIPES["edge"],
    model=VariantConfig(_RN50),
    augment=replace(RECIPES["edge"].augment, zoom=1.0),
    optim=replace(RECIPES["edge"].optim, trunk_learning_rate=1e-3),
    mixed_precision="bf16",
    epochs=EPOCHS,
    evaluate_every=4,
)


@dataclass(frozen=True)
class Experiment:
    """A change to the base, and what it is."""

    tells: str
    change: Callable[[Recipe], Recipe] = lambda recipe: recipe


def _model(tells: str, **changes: Any) -> Experiment:
    return Experiment(tells, lambda recipe: replace(recipe, model=replace(recipe.model, **changes)))


def _part(part: str, tells: str, **changes: Any) -> Experiment:
    return Experiment(tells, lambda recipe: replace(recipe, **{part: replace(getattr(recipe, part), **changes)}))


def _zoomed(recipe: Recipe, seed: int = 0, normalisation: Any = "clip", **model: Any) -> Recipe:
    augment = replace(recipe.augment, zoom=1.2)
    changed = replace(recipe.model, **model)
    return replace(recipe, augment=augment, seed=seed, normalisation=normalisation, model=changed)


def recipe_of(experiment: Experiment) -> Recipe:
    """The whole recipe of an experiment, but for its data."""
    return experiment.change(_BASE)


EXPERIMENTS = {
    "base": Experiment("RN50's first three stages at half size, detail at stride 4, 64 learned bins, no zoom"),
    "seed-1": Experiment("another seed", lambda recipe: replace(recipe, seed=1)),
    "seed-2": Experiment("a third seed", lambda recipe: replace(recipe, seed=2)),
    "zoom": _part("augment", "training pictures zoomed into by up to 1.2", zoom=1.2),
    "zoom-seed-1": Experiment("the same with another seed", lambda recipe: _zoomed(recipe, seed=1)),
    "zoom-unit": Experiment("zoom, colours from 0 to 1", lambda recipe: _zoomed(recipe, normalisation="unit")),
    "zoom-no-detail": Experiment("zoom, no detail", lambda recipe: _zoomed(recipe, detail=0)),
    "zoom-s0-3": Experiment(
        "zoom, MobileCLIP2-S0's first three stages, colours from 0 to 1",
        lambda recipe: _zoomed(recipe, trunk=_S0, normalisation="unit"),
    ),
    "zoom-s0-4": Experiment(
        "zoom, MobileCLIP2-S0's four stages, colours from 0 to 1",
        lambda recipe: _zoomed(recipe, trunk=_S0, stages=4, normalisation="unit"),
    ),
    "strong": _part("augment", "stronger augmentation: 5°, jitter 0.4", rotate=5.0, jitter=0.4),
    "long": Experiment("20 epochs for 8", lambda recipe: replace(recipe, epochs=20)),
    "no-ema": _part("optim", "no average of weights", ema=0.0),
    "frozen": _part("optim", "the (random) trunk frozen", trunk_learning_rate=0.0),
    "lambda-0.5": _part("loss", "SILog forgives half of the mean log error (base: 0.85)", silog_lambda=0.5),
    "gradient": _part("loss", "the gradient loss as well, 0.5", gradient=0.5),
    "bins-loss": _part("loss", "the bins' cross entropy as well, 0.1", bins=0.1),
    "no-detail": _model("no detail: depth at stride 8", detail=0),
    "2-stages": _model("two stages of the trunk", stages=2),
    "4-stages": _model("four stages of the trunk", stages=4),
    "s0-3": _model("MobileCLIP2-S0's first three stages", trunk=_S0),
    "s0-4": _model("MobileCLIP2-S0's four stages", trunk=_S0, stages=4),
    "s2-3": _model("MobileCLIP2-S2's first three stages", trunk=_S2),
    "convnext-3": _model("ConvNeXt-tiny's first three stages", trunk=_CONVNEXT),
    "192x256": _part("frames", "pictures of 192×256", height=192, width=256),
    "288x384": _part("frames", "pictures of 288×384", height=288, width=384),
    "whole": _model("the trunk on the whole picture, no detail: four times the work", shrink=1, detail=0),
    "log-depth": _model("the log of depth outright", head="log-depth"),
    "adaptive": _model("bins of each image's own", head="adaptive"),
    "fixed": _model("fixed bins", head="fixed"),
    "text": _model("queries: CLIP's (random) text features of the bins' depths", head="text"),
    "mixed": _model("another 3×3 convolution before the scores", head="mixed"),
    "bins-16": _model("16 bins", bins=16),
    "width-32": _model("width 32", width=32),
    "depthwise": _model("depthwise convolutions in the decoder", decoder="depthwise"),
    "distilled": Experiment(
        "learns from 'long' as well, weight 1",
        lambda recipe: replace(recipe, teacher="long", loss=replace(recipe.loss, distillation=1.0)),
    ),
    "distilled-whole": Experiment(
        "learns from 'whole' as well, weight 1",
        lambda recipe: replace(recipe, teacher="whole", loss=replace(recipe.loss, distillation=1.0)),
    ),
}


def is_timed_as_base(name: str) -> bool:
    """Whether an experiment's network, and its picture, are the base's."""
    recipe, base = recipe_of(EXPERIMENTS[name]), recipe_of(EXPERIMENTS["base"])
    return (recipe.model, recipe.frames) == (base.model, base.frames)
