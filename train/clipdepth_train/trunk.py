"""CLIP's image tower without its pooling, as a source of features at several scales."""

from collections.abc import Iterator

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from timm.utils.model import reparameterize_model
from torch import Tensor, nn

from clipdepth.errors import UsageError
from clipdepth_train.depthwise import make_depthwise

_LAYERS = ("layer1", "layer2", "layer3", "layer4")


class Trunk(nn.Module):
    """The visual trunk of a CLIP model: ModifiedResNet, or a timm trunk such as MobileCLIP's or ConvNeXt.

    `forward` takes a normalised image, (N, 3, H, W) float32 RGB, and gives its features from fine to coarse, one
    for each of `strides` with the channels of `channels`. A ModifiedResNet gives its stem, before the average
    pool, at stride 2, then its four stages at 4, 8, 16 and 32; timm trunks give their stages. With `stages` the
    trunk ends after that many of them, a stem not counted.
    Raises UsageError for a tower that has no such feature maps (a vision transformer of one scale) or cannot end there.
    """

    def __init__(self, clip: nn.Module, stages: int | None = None) -> None:
        super().__init__()
        visual = clip.visual
        if isinstance(visual, ModifiedResNet):
            visual.attnpool = None
            self.visual: nn.Module = visual
        elif isinstance(visual, TimmModel) and _scales(visual.trunk) > 1:
            self.visual = _without_head(visual.trunk)
        else:
            raise UsageError(f"the trunk {type(visual).__name__} has no feature maps at several scales")
        if stages is not None:
            _cut(self.visual, stages)
        self.frozen = False
        self.channels, self.strides = self._probe()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        if isinstance(self.visual, ModifiedResNet):
            return tuple(_resnet_features(self.visual, image))
        features: list[Tensor] = self.visual.forward_intermediates(image, intermediates_only=True)  # type: ignore[operator]
        return tuple(features)

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


def _scales(trunk: nn.Module) -> int:
    # A vision transformer of timm's has this list as well, of layers that are all at one scale.
    return len({stage["reduction"] for stage in getattr(trunk, "feature_info", ())})


def _without_head(trunk: nn.Module) -> nn.Module:
    # Layers after the last stage, which make the pooled embedding.
    for name in ("head", "final_conv", "norm_pre"):
        if isinstance(getattr(trunk, name, None), nn.Module):
            setattr(trunk, name, nn.Identity())
    return trunk


def _cut(visual: nn.Module, stages: int) -> None:
    """Drop the stages after the first so many."""
    if isinstance(visual, ModifiedResNet):
        for name in _LAYERS[stages:]:
            delattr(visual, name)
    elif stages < _scales(visual):
        if not isinstance(kept := getattr(visual, "stages", None), nn.Sequential):
            raise UsageError(f"the trunk {type(visual).__name__} cannot end after stage {stages}; choose another CLIP")
        visual.stages = kept[:stages]


def _resnet_features(visual: ModifiedResNet, image: Tensor) -> Iterator[Tensor]:
    x = visual.act1(visual.bn1(visual.conv1(image)))
    x = visual.act2(visual.bn2(visual.conv2(x)))
    x = visual.act3(visual.bn3(visual.conv3(x)))
    yield x
    x = visual.avgpool(x)
    for layer in (getattr(visual, name) for name in _LAYERS if hasattr(visual, name)):
        x = layer(x)
        yield x
