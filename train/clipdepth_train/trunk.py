"""A pretrained image network without its pooling and head, as a source of features."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import open_clip
import timm
import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from timm.utils.model import reparameterize_model
from torch import Tensor, nn

from clipdepth.errors import UsageError
from clipdepth_train.clip import clip_colours, load_clip
from clipdepth_train.depthwise import make_depthwise
from clipdepth_train.imagenet import load_timm, timm_settings
from clipdepth_train.pretrained import PretrainedConfig

_LAYERS = ("layer1", "layer2", "layer3", "layer4")


class Trunk(nn.Module, ABC):
    """An image network without its head.

    `forward` takes a normalised image, (N, 3, H, W) float32 RGB, and gives several features, (N, C, H/stride,
    W/stride) each, with the channels of `channels` and the strides of `strides`. `colours` are the mean and the
    deviation of R, G and B, from 0 to 1, by which its images were normalised when it was trained.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def __init__(self, colours: tuple[Any, Any]) -> None:
        super().__init__()
        self.colours = colours
        self.frozen = False

    @abstractmethod
    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See the class."""

    def freeze(self) -> None:
        """Keep every weight and batch-norm statistic as it is from now on."""
        self.frozen = True
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Trunk":
        """Switch to training mode, which a frozen trunk never does."""
        super().train(mode and not self.frozen)
        return self

    def reparameterize(self) -> None:
        """Fold training-time branches into plain layers, in place, for export."""

    def fix_size(self, height: int, width: int) -> None:
        """Compute once, in place, what depends only on the image's height and width, for export at that size."""


class StagedTrunk(Trunk):
    """The image tower of a CLIP model, ModifiedResNet or timm's, or a model of timm's own, that works in stages.

    Features go from fine to coarse. A ModifiedResNet gives its stem, before the average pool, at stride 2, then its
    four stages at 4, 8, 16 and 32; timm's models give what they list as features. With `stages` the trunk ends after
    that many of them, one at stride 2 not counted.
    Raises UsageError for a network that has no such feature maps (a vision transformer of one scale).
    """

    def __init__(self, visual: nn.Module, stages: int | None, colours: tuple[Any, Any]) -> None:
        super().__init__(colours)
        self._indices: list[int] | None = None
        if isinstance(visual, ModifiedResNet):
            visual.attnpool = None
            for layer in _LAYERS[stages:] if stages is not None else ():
                delattr(visual, layer)
            self.visual: nn.Module = visual
        else:
            self.visual = visual.trunk if isinstance(visual, TimmModel) else visual
            self._indices = _pruned(self.visual, stages)
        self.channels, self.strides = self._probe()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        if isinstance(self.visual, ModifiedResNet):
            return tuple(_resnet_features(self.visual, image))
        features: list[Tensor] = self.visual.forward_intermediates(  # type: ignore[operator]
            image, indices=self._indices, intermediates_only=True
        )
        return tuple(features)

    def reparameterize(self) -> None:
        """Fold training-time branches (FastViT's and MobileOne's) into plain convolutions, in place, for export."""
        self.visual = reparameterize_model(self.visual, inplace=True)
        make_depthwise(self.visual)

    @torch.no_grad()
    def _probe(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        side = 64
        was_training = self.training
        self.eval()
        features = self(torch.zeros(1, 3, side, side))
        self.train(was_training)
        return tuple(f.shape[1] for f in features), tuple(side // f.shape[2] for f in features)


def load_trunk(config: PretrainedConfig, stages: int | None = None) -> Trunk:
    """Build the trunk of `config`, one that works in stages.

    Raises UsageError for an unknown one, WeightsError where its weights cannot be had or do not fit.
    """
    return StagedTrunk(load_visual(config), stages, trunk_colours(config))


def trunk_of_clip(clip: Any, config: PretrainedConfig, stages: int | None = None) -> Trunk:
    """The trunk of a CLIP model that was loaded already."""
    return StagedTrunk(clip.visual, stages, trunk_colours(config))


def load_visual(config: PretrainedConfig) -> nn.Module:
    """Build the image network of `config`, with its head; raises as `load_trunk` does."""
    if config.name in open_clip.list_models():
        visual: nn.Module = load_clip(config).visual  # type: ignore[assignment]
        return visual
    if not timm.is_model(config.name):
        raise UsageError(
            f"neither open_clip nor timm has a model '{config.name}'; "
            "see open_clip.list_models() and timm.list_models(), and name one with --model.trunk.name"
        )
    return load_timm(config.name, config.weights)


def trunk_colours(config: PretrainedConfig) -> tuple[Any, Any]:
    """Mean and deviation of R, G and B, from 0 to 1, that the images of a trunk of these weights are normalised by."""
    settings = None if config.name in open_clip.list_models() else timm_settings(config.name, config.weights)
    return clip_colours(config.name, config.weights) if settings is None else (settings.mean, settings.std)


def _pruned(model: Any, stages: int | None) -> list[int]:
    """Drop a timm model's head and the stages after the first so many; return the places of the features left."""
    reductions = [stage["reduction"] for stage in getattr(model, "feature_info", ())]
    # A vision transformer of timm's has this list as well, of layers that are all at one scale.
    if len(set(reductions)) < 2:
        raise UsageError(
            f"the trunk {type(model).__name__} has no feature maps at several scales; "
            "the recipe 'space' takes vision transformers"
        )
    finer = sum(reduction < 4 for reduction in reductions)
    kept = list(range(len(reductions) if stages is None else min(finer + stages, len(reductions))))
    indices: list[int] = model.prune_intermediate_layers(kept, prune_norm=True, prune_head=True)
    return indices


def _resnet_features(visual: ModifiedResNet, image: Tensor) -> Iterator[Tensor]:
    x = visual.act1(visual.bn1(visual.conv1(image)))
    x = visual.act2(visual.bn2(visual.conv2(x)))
    x = visual.act3(visual.bn3(visual.conv3(x)))
    yield x
    x = visual.avgpool(x)
    for layer in (getattr(visual, name) for name in _LAYERS if hasattr(visual, name)):
        x = layer(x)
        yield x
