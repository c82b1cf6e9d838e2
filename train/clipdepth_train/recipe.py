"""Recipes: everything that decides what a training run makes, in frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_type_hints

import msgspec

from clipdepth.errors import CheckpointError, UsageError
from clipdepth_train.clip import NO_WEIGHTS, ClipConfig
from clipdepth_train.models import MODELS, DepthClipConfig, EdgeConfig, ModelConfig, MsaConfig


@dataclass(frozen=True)
class DataConfig:
    """What the model is trained and evaluated on."""

    height: int = 240
    """Height of the model's input, pixels."""
    width: int = 320
    """Width of the model's input, pixels."""
    picture: Literal["whole", "paper"] = "whole"
    """Resize the whole picture to the input size, or cut the paper's crops out of a 640×480 picture."""
    dense: bool = False
    """Train on in-painted depth where the dataset has it; evaluation always uses the measured depth."""
    depth_scale: float = 1000.0
    """Units of the depth PNGs in a metre."""
    max_depth: float = 10.0
    """Depth beyond this, in metres, counts as unknown."""
    rooms: int = 100
    """Rooms to train on where the data is 'rooms', 40 frames of each."""
    workers: int = 1
    """Processes that load data, for each training process; 0 loads in the training process itself."""


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to a training pair; geometry is changed in picture and depth alike."""

    rotate: float = 2.5
    """Rotate by up to this many degrees."""
    zoom: float = 1.2
    """Cut out up to 1/zoom of the picture; depth is divided by the zoom, as it looks to the same camera."""
    flip: float = 0.5
    """Chance of a mirrored pair."""
    jitter: float = 0.2
    """Change of brightness, contrast and saturation, each by a factor in 1 ± jitter."""


@dataclass(frozen=True)
class OptimConfig:
    """How weights are changed."""

    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or SGD with momentum."""
    learning_rate: float = 1e-3
    """Of the adapter or decoder."""
    trunk_learning_rate: float = 0.0
    """Of the CLIP trunk; 0 keeps it frozen, its batch norms in eval mode."""
    momentum: float = 0.9
    """SGD's momentum."""
    weight_decay: float = 1e-2
    """Of all weights."""
    schedule: Literal["onecycle", "step"] = "onecycle"
    """Cosine up and down over the whole run, or ×0.1 every `step_epochs`."""
    step_epochs: int = 30
    """Epochs between two steps of the step schedule."""
    clip_norm: float = 1.0
    """Largest norm of the gradient; 0 for no limit."""


@dataclass(frozen=True)
class LossConfig:
    """What is made small."""

    kind: Literal["l1", "l2", "silog"] = "silog"
    """Mean absolute error, mean squared error, or the scale-invariant log loss (Eigen et al. 2014)."""
    silog_lambda: float = 0.85
    """How much of the mean log error SILog forgives: 0 none, 1 all."""


@dataclass(frozen=True)
class Recipe:
    """One training run. Two runs of the same recipe on the same data and machine give the same model."""

    model: ModelConfig
    """The network."""
    data: str = "rooms"
    """A folder of RGB-D pairs, or 'rooms' for procedural rooms rendered on the fly."""
    frames: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    normalisation: Literal["clip", "imagenet", "unit"] = "unit"
    """Input colours: with the mean and deviation of CLIP or of ImageNet, or in 0 to 1, as MobileCLIP takes them."""
    epochs: int = 20
    """Passes over the training frames; 0 for a model that needs no training."""
    batch_size: int = 8
    """Frames a step, over all processes together."""
    mirror: bool = False
    """Average the depth of the picture and of its mirror image, in training and in evaluation."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    """Number format of convolutions and matrix products while training."""
    save_every: int = 200
    """Steps between two checkpoints."""
    evaluate_every: int = 5
    """Epochs between two evaluations on the test frames; the last epoch is always followed by one."""
    seed: int = 0
    """Decides initial weights, order and augmentation."""

    def __post_init__(self) -> None:
        _require(self.epochs >= 0, "epochs", self.epochs, "0 or more")
        for name in ("batch_size", "save_every", "evaluate_every"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        for name in ("height", "width", "max_depth", "depth_scale", "rooms"):
            value = getattr(self.frames, name)
            _require(value > 0, f"frames.{name}", value, "more than 0")
        _require(self.frames.workers >= 0, "frames.workers", self.frames.workers, "0 or more")
        _require(self.optim.learning_rate > 0, "optim.learning_rate", self.optim.learning_rate, "more than 0")
        _require(self.optim.step_epochs > 0, "optim.step_epochs", self.optim.step_epochs, "more than 0")
        for name in ("trunk_learning_rate", "momentum", "weight_decay", "clip_norm"):
            value = getattr(self.optim, name)
            _require(value >= 0, f"optim.{name}", value, "0 or more")
        _require(0 <= self.augment.rotate <= 180, "augment.rotate", self.augment.rotate, "in [0, 180]")
        _require(self.augment.zoom >= 1, "augment.zoom", self.augment.zoom, "1 or more")
        _require(0 <= self.augment.jitter < 1, "augment.jitter", self.augment.jitter, "in [0, 1)")
        _require(0 <= self.augment.flip <= 1, "augment.flip", self.augment.flip, "in [0, 1]")
        _require(0 <= self.loss.silog_lambda <= 1, "loss.silog_lambda", self.loss.silog_lambda, "in [0, 1]")


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise UsageError(f"--{name} is {value}; it has to be {wanted}".replace("_", "-"))


_PAPER_FRAMES = DataConfig(height=416, width=544, picture="paper", dense=True)

RECIPES = {
    "depthclip": Recipe(DepthClipConfig(), frames=_PAPER_FRAMES, normalisation="imagenet", epochs=0, mirror=True),
    "msa": Recipe(
        MsaConfig(),
        frames=_PAPER_FRAMES,
        augment=AugmentConfig(zoom=1.0),
        optim=OptimConfig("sgd", 2e-3, weight_decay=1e-5, schedule="step", step_epochs=30, clip_norm=0.0),
        loss=LossConfig("l1"),
        normalisation="imagenet",
        epochs=90,
        mirror=True,
    ),
    "edge": Recipe(EdgeConfig(), optim=OptimConfig(trunk_learning_rate=1e-4)),
}


def encode_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values; the model's kind stands in `model.kind`."""
    kind = next(kind for kind, entry in MODELS.items() if entry.config is type(recipe.model))
    plain: dict[str, Any] = msgspec.to_builtins(recipe)
    return {**plain, "model": {"kind": kind, **plain["model"]}}


def decode_recipe(plain: Mapping[str, Any], where: str) -> Recipe:
    """Read what `encode_recipe` wrote; raises CheckpointError naming `where` and the field."""
    try:
        model = dict(plain["model"])
        values: dict[str, Any] = {"model": msgspec.convert(model, MODELS[model.pop("kind")].config)}
        for name, kind in get_type_hints(Recipe).items():
            if name != "model":
                values[name] = msgspec.convert(plain[name], kind)
        return Recipe(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{where} holds no recipe this version can read: {error}; train again") from None


def without_download(model: ModelConfig) -> ModelConfig:
    """The same model with random weights: to be filled from a checkpoint, which holds all of them."""
    return replace(model, clip=ClipConfig(model.clip.name, NO_WEIGHTS))
