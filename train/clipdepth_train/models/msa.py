"""The paper's Multi-Scale Adapter (section 4.3, figure 5): a U-Net whose encoder is a frozen CLIP trunk."""

import torch
from torch import Tensor, nn

from clipdepth.errors import UsageError
from clipdepth_train.clip import load_clip
from clipdepth_train.models.configs import MsaConfig
from clipdepth_train.models.depthclip import DistanceClasses, load_classes
from clipdepth_train.models.network import DepthNetwork, resize
from clipdepth_train.trunk import Trunk, load_trunk, trunk_of_clip

START_DEPTH = 2.0
"""Metres, about which an untrained adapter without CLIP's depth answers."""


def block(inputs: int, outputs: int) -> nn.Sequential:
    """A 3×3 convolution, batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


class UpStep(nn.Module):
    """Double the resolution, join the skip feature, mix."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.mix = nn.Sequential(block(outputs + skip, outputs), block(outputs, outputs))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, inputs, h, w) and (N, skip, 2h, 2w) to (N, outputs, 2h, 2w)."""
        mixed: Tensor = self.mix(torch.cat([self.up(x), skip], dim=1))
        return mixed


class MultiScaleAdapter(nn.Module):
    """The U-Net's bridge and its five up-steps, down to the normalised image at stride 1.

    `channels` are the encoder's from stride 2 to 32; each up-step halves the channels of the level below it. With
    SAM, its segmentation joins the image after two blocks of its own.
    Parameters for RN50: 124,300,789 without SAM, 124,302,517 with it.
    """

    def __init__(self, channels: tuple[int, ...], segmentation: bool) -> None:
        super().__init__()
        skips = [*channels[-2::-1], 6 if segmentation else 3]
        widths = [channels[-1] >> level for level in range(len(skips) + 1)]
        self.bridge = nn.Sequential(block(widths[0], widths[0]), block(widths[0], widths[0]))
        self.steps = nn.ModuleList(
            UpStep(below, skip, here) for below, skip, here in zip(widths[:-1], skips, widths[1:], strict=True)
        )
        self.answer = nn.Conv2d(widths[-1], 1, 1)
        # The authors' network has these two blocks also where it is not given a segmentation.
        self.segmentation = nn.Sequential(block(3, 3), block(3, 3)).requires_grad_(segmentation)

    def forward(self, image: Tensor, features: tuple[Tensor, ...], segmentation: Tensor | None) -> Tensor:
        """The image (N, 3, H, W), its features, fine to coarse, and its segmentation (N, 3, H, W), to (N, H, W)."""
        finest = image if segmentation is None else torch.cat([image, self.segmentation(segmentation)], dim=1)
        x = self.bridge(features[-1])
        for step, skip in zip(self.steps, [*features[-2::-1], finest], strict=True):
            x = step(x, skip)
        answer: Tensor = self.answer(x)[:, 0]
        return answer


class Msa(DepthNetwork):
    """The frozen trunk and the adapter, at the image's own resolution: height and width multiples of 32."""

    def __init__(self, trunk: Trunk, classes: DistanceClasses | None, segmentation: bool = False) -> None:
        super().__init__(trunk)
        if trunk.strides != (2, 4, 8, 16, 32):
            raise UsageError(
                f"msa needs a trunk with strides 2, 4, 8, 16 and 32, not {trunk.strides}; "
                "use RN50 or tf_efficientnet_lite0"
            )
        self.adapter = MultiScaleAdapter(trunk.channels, segmentation)
        if classes is None:
            # Depth that starts at 0 is behind the camera half of the time, where self-supervision has no slope.
            nn.init.constant_(self.adapter.answer.bias, START_DEPTH)  # type: ignore[arg-type]
        self.classes = classes
        self.needs_segmentation = segmentation
        trunk.freeze()

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """See DepthNetwork."""
        if image.shape[2] % 32 or image.shape[3] % 32:
            raise UsageError(f"msa needs a height and width of multiples of 32, not {tuple(image.shape[2:])}")
        assert self.trunk is not None
        features = self.trunk(image)
        answer: Tensor = self.adapter(image, features, segmentation)
        if self.classes is None:
            return answer
        initial = resize(self.classes(features[-1]), image, aligned=True)
        return initial + 2 * answer.sigmoid() - 1


def build_msa(config: MsaConfig, size: tuple[int, int]) -> Msa:
    """Build the model of `config`, for any size of multiples of 32."""
    if not config.initial_depth:
        return Msa(load_trunk(config.trunk), None, config.segmentation)
    clip = load_clip(config.trunk)
    classes = load_classes(clip, config.trunk.name, config.temperature)
    return Msa(trunk_of_clip(clip, config.trunk), classes, config.segmentation)
