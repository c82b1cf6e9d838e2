"""Recipes: everything that decides what a training run makes, in frozen dataclasses.

The help of `train` tells them, so nothing here waits for PyTorch.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from clipdepth.bundle.kind import MIN_DEPTH
from clipdepth.errors import UsageError
from clipdepth_train.data_config import DataConfig as DataConfig
from clipdepth_train.models.configs import ModelConfig
from clipdepth_train.named_data import named_data
from clipdepth_train.pretrained import NO_WEIGHTS, PretrainedConfig


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to a training pair; geometry is changed in picture and depth alike."""

    rotate: float = 2.5
    """Rotate by up to this many degrees."""
    zoom: float = 1.2
    """Cut out up to 1/zoom of the picture, of most less; depth is divided by it, as it looks to the same camera."""
    flip: float = 0.5
    """Chance of a mirrored pair."""
    jitter: float = 0.2
    """Change of brightness, contrast and saturation, each by a factor in 1 ± jitter."""
    tint: float = 0.0
    """Change of each of red, green and blue, by a factor in 1 ± tint, as white balance goes astray."""
    gamma: float = 0.0
    """Change of the tone curve: colours to a power from exp(-gamma) to exp(gamma)."""
    sensor: float = 0.0
    """Chance of a picture that is blurred and noisy as a webcam's is."""
    tilt: float = 0.0
    """Turn the camera up or down and left or right by up to this many degrees; depth changes as it would."""
    shrink: float = 1.0
    """Show one picture in four at from this to the whole of its size, filled around; depth is divided alike."""
    shapes: float = 0.0
    """Chance of a picture cut to another shape, from upright to lying 16:9."""


@dataclass(frozen=True)
class ViewConfig:
    """The second view that self-supervision compares a picture with."""

    kind: Literal["none", "warped", "neighbour"] = "none"
    """None; the picture itself, rotated, shifted and mirrored, as in the paper; or a neighbouring frame's, by pose."""
    rotate: float = 10.0
    """Rotate a warped view by up to this many degrees."""
    shift: float = 10.0
    """Shift a warped view by up to this many pixels of the input, each way."""
    flip: float = 0.5
    """Chance of a mirrored warped view."""


@dataclass(frozen=True)
class OptimConfig:
    """How weights are changed."""

    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or SGD with momentum."""
    learning_rate: float = 1e-3
    """Of the adapter or decoder."""
    trunk_learning_rate: float = 0.0
    """Of the trunk; 0 keeps it frozen, its batch norms in eval mode."""
    momentum: float = 0.9
    """SGD's momentum."""
    weight_decay: float = 1e-2
    """Of all weights."""
    schedule: Literal["onecycle", "cosine", "step", "milestones"] = "onecycle"
    """Cosine up and down over the whole run, cosine down, ×0.1 every `step_epochs`, or ×0.1 at each milestone."""
    step_epochs: int = 30
    """Epochs between two steps of the step schedule."""
    milestones: tuple[int, ...] = ()
    """Epochs at whose start the milestones schedule multiplies the rate by 0.1."""
    warm_up_epochs: int = 0
    """Epochs at `warm_up_rate` before the milestones schedule begins."""
    warm_up_rate: float = 1e-3
    """The adapter's learning rate while it warms up; other rates are scaled alike."""
    clip_norm: float = 1.0
    """Largest norm of the gradient; 0 for no limit."""
    ema: float = 0.0
    """Decay of the moving average of weights that is evaluated and kept; 0 keeps the last weights."""
    average_epochs: int = 0
    """In place of that, the mean of the weights over so many last epochs; 0 for none."""


@dataclass(frozen=True)
class LossConfig:
    """What is made small: a sum of terms by weight."""

    kind: Literal["l1", "l2", "silog", "none"] = "silog"
    """Mean absolute error, mean squared error, the scale-invariant log loss, or no supervision by depth."""
    silog_lambda: float = 0.85
    """How much of the mean log error SILog forgives: 0 none, 1 all."""
    native: bool = False
    """Compare at the network's own resolution, with the true depth resized to it."""
    smoothness: float = 0.0
    """Weight of depth's edge-aware smoothness."""
    gradient: float = 0.0
    """Weight of the difference in gradients of log depth, at four scales."""
    bins: float = 0.0
    """Weight of the cross entropy with the true depth's bin, in a network that has bins."""
    symmetry: float = 0.0
    """Weight of the difference between the picture's depth and its mirror image's."""
    distillation: float = 0.0
    """Weight of the difference from what the recipe's `teacher` answers, at every pixel: in log depth, or after both
    were brought to one scale and shift where the teacher knows no metres. With a teacher 1 where nothing else is asked
    for."""
    photometric: float = 0.0
    """Weight of the difference between the picture and its second view, warped into it by the depth."""
    ssim: float = 0.85
    """Share of structural similarity in the photometric term; the rest is absolute difference."""

    @property
    def learns_depth(self) -> bool:
        """Whether a term compares with measured depth."""
        return self.kind != "none" or self.gradient > 0 or self.bins > 0


_LOSS_WEIGHTS = ("smoothness", "gradient", "bins", "symmetry", "distillation", "photometric")


@dataclass(frozen=True)
class Recipe:
    """One training run. Two runs of the same recipe on the same data and machine give the same model."""

    model: ModelConfig
    data: tuple[str, ...] = ("rooms",)
    """Folders of RGB-D pairs, or 'rooms'; each may be NAME:WEIGHT. On the command line it is `TrainArguments.data`."""
    frames: DataConfig = field(default_factory=DataConfig)
    start: str = ""
    """A run, a bundle or a model that ships, such as edge-nyu, whose weights are the first ones: to train on, or to
    refine. Network, input size and normalisation are as there where no option says otherwise."""
    teacher: str = ""
    """A run, a bundle, a model that ships, such as edge-nyu, or one of transformers, hf:OWNER/NAME or its folder. Its
    answers to the training pictures are learned as well: `loss.distillation` says how much. It is asked once; its
    answers are kept beside the pictures."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    view: ViewConfig = field(default_factory=ViewConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    normalisation: Literal["trunk", "clip", "imagenet", "unit"] = "trunk"
    """Mean and deviation of input colours: those of the trunk's own training, CLIP's, ImageNet's, or 0 to 1."""
    epochs: int = 20
    """Passes over the training frames; 0 for a model that needs no training."""
    batch_size: int = 8
    """Frames a step, over all processes and accumulated parts together."""
    accumulate: int = 1
    """Parts of a batch that pass one after the other, where the whole does not fit into memory."""
    mirror: bool = False
    """Average the depth of the picture and of its mirror image, in training and in evaluation."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    """Number format of convolutions and matrix products while training."""
    channels_last: bool = False
    """Keep weights in channels-last memory while training: on CPUs a third less time, rounded a little differently."""
    save_every: int = 200
    """Steps between two checkpoints."""
    evaluate_every: int = 5
    """Epochs between two evaluations on the test frames; the last epoch is always followed by one."""
    seed: int = 0
    """Decides initial weights, order and augmentation."""

    def __post_init__(self) -> None:
        if self.teacher and not self.loss.distillation:  # who names a teacher wants to learn from it
            object.__setattr__(self, "loss", replace(self.loss, distillation=1.0))
        _require(self.epochs >= 0, "epochs", self.epochs, "0 or more")
        for name in ("batch_size", "accumulate", "save_every", "evaluate_every"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        for name in ("height", "width", "max_depth", "depth_scale", "rooms"):
            value = getattr(self.frames, name)
            _require(value > 0, f"frames.{name}", value, "more than 0")
        _require(
            self.frames.held_out != 1 and self.frames.held_out >= 0,
            "frames.held_out",
            self.frames.held_out,
            "0, or 2 or more",
        )
        _require((self.frames.workers or 0) >= 0, "frames.workers", self.frames.workers, "0 or more")
        _require(self.frames.every >= 0, "frames.every", self.frames.every, "0 or more")
        _require(self.optim.learning_rate > 0, "optim.learning_rate", self.optim.learning_rate, "more than 0")
        _require(self.optim.step_epochs > 0, "optim.step_epochs", self.optim.step_epochs, "more than 0")
        for name in ("trunk_learning_rate", "momentum", "weight_decay", "warm_up_epochs", "warm_up_rate", "clip_norm"):
            value = getattr(self.optim, name)
            _require(value >= 0, f"optim.{name}", value, "0 or more")
        _require(0 <= self.optim.ema < 1, "optim.ema", self.optim.ema, "in [0, 1)")
        averaged = self.optim.average_epochs
        _require(0 <= averaged <= self.epochs, "optim.average_epochs", averaged, f"from 0 to the {self.epochs} epochs")
        _require(0 <= self.augment.rotate <= 180, "augment.rotate", self.augment.rotate, "in [0, 180]")
        _require(0 <= self.augment.tilt <= 45, "augment.tilt", self.augment.tilt, "in [0, 45]")
        _require(self.augment.zoom >= 1, "augment.zoom", self.augment.zoom, "1 or more")
        for name in ("jitter", "tint"):
            value = getattr(self.augment, name)
            _require(0 <= value < 1, f"augment.{name}", value, "in [0, 1)")
        _require(self.augment.gamma >= 0, "augment.gamma", self.augment.gamma, "0 or more")
        _require(0 < self.augment.shrink <= 1, "augment.shrink", self.augment.shrink, "above 0, and 1 at most")
        for height, width in self.frames.other_sizes:
            _require(height > 0 and width > 0, "frames.other_sizes", f"{height} {width}", "more than 0")
        for name in ("flip", "sensor", "shapes"):
            value = getattr(self.augment, name)
            _require(0 <= value <= 1, f"augment.{name}", value, "in [0, 1]")
        for name in ("silog_lambda", "ssim"):
            _require(0 <= getattr(self.loss, name) <= 1, f"loss.{name}", getattr(self.loss, name), "in [0, 1]")
        _require(0 <= self.view.rotate <= 180, "view.rotate", self.view.rotate, "in [0, 180]")
        _require(self.view.shift >= 0, "view.shift", self.view.shift, "0 or more")
        _require(0 <= self.view.flip <= 1, "view.flip", self.view.flip, "in [0, 1]")
        for name in _LOSS_WEIGHTS:
            _require(getattr(self.loss, name) >= 0, f"loss.{name}", getattr(self.loss, name), "0 or more")
        self._require_parts_that_fit()

    def _require_parts_that_fit(self) -> None:
        """Raise UsageError where one field asks for what another does not give."""
        self._require_data()
        if self.batch_size % self.accumulate:
            raise UsageError(f"--batch-size {self.batch_size} cannot be cut into --accumulate {self.accumulate} parts")
        if self.loss.kind == "none" and not any(getattr(self.loss, name) for name in _LOSS_WEIGHTS):
            raise UsageError("--loss.kind none leaves nothing to learn; give a weight, such as --loss.photometric")
        if (self.loss.photometric > 0) != (self.view.kind != "none"):
            raise UsageError(
                f"--loss.photometric is {self.loss.photometric} and --view.kind {self.view.kind}; "
                "self-supervision takes both, a weight and a second view"
            )
        if self.loss.distillation and not self.teacher:
            raise UsageError(f"--loss.distillation is {self.loss.distillation}, and nobody teaches; give --teacher")
        if self.frames.segments and not getattr(self.model, "segmentation", False):
            raise UsageError(f"--frames.segments {self.frames.segments} is for a model with --model.segmentation")

    def _require_data(self) -> None:
        if not self.data:
            raise UsageError("--data names nothing; give a folder of RGB-D pairs, or 'rooms'")
        several = len([named_data(text) for text in self.data]) > 1
        if several and self.view.kind != "none":
            raise UsageError(f"--view.kind {self.view.kind} is for one camera, so for one --data; leave the others out")
        if several and self.frames.segments:
            raise UsageError(f"--frames.segments {self.frames.segments} is of one dataset; leave out the other --data")

    @property
    def depth_range(self) -> tuple[float, float]:
        """The smallest and largest depth the model answers, metres: its own, or that of the data."""
        own: tuple[float, float] = getattr(self.model, "depth_range", (MIN_DEPTH, self.frames.max_depth))
        return own

    def require_inputs(self) -> None:
        """Raise UsageError where training needs what only the user can name."""
        if getattr(self.model, "segmentation", False) and not self.frames.segments:
            raise UsageError(
                "a model with SAM needs its segmentation of the data; run 'clipdepth data segment --data DATA' and "
                "give the name it prints with --frames.segments"
            )
        if getattr(self.model, "refined", False) and not self.start:
            raise UsageError("a refining network needs the run of the coarse one; train that and give it with --start")


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise UsageError(f"--{name} is {value}; it has to be {wanted}".replace("_", "-"))


def without_download(model: ModelConfig) -> ModelConfig:
    """The same model with random weights: to be filled from a checkpoint, which holds all of them."""
    return with_trunk(model, weights=NO_WEIGHTS)


def with_trunk(model: ModelConfig, **changes: str) -> ModelConfig:
    """The same model with another `name` or other `weights` of its trunk; itself where it has none."""
    trunk = trunk_of(model)
    return model if trunk is None else replace(cast(Any, model), trunk=replace(trunk, **changes))


def trunk_of(model: ModelConfig) -> PretrainedConfig | None:
    """The pretrained network that a model is built on; None for one without."""
    return getattr(model, "trunk", None)
