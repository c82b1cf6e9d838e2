"""Convolutions with one input and several outputs a group, as depthwise ones, which every engine has fast code for."""

from typing import Any

import torch
from timm.layers.squeeze_excite import SEModule
from timm.models.fastvit import PatchEmbed
from torch import Tensor, nn


class RepeatedDepthwise(nn.Module):
    """A convolution with one input channel a group, (N, C, H, W) to (N, m·C, h, w), as a depthwise one of m copies.

    Its outputs come in another order: the first of each group, then the second of each, as `order` says, which lists
    the old place of each.
    """

    def __init__(self, grouped: nn.Conv2d) -> None:
        super().__init__()
        channels, outputs = grouped.in_channels, grouped.out_channels
        size: dict[str, Any] = {name: getattr(grouped, name) for name in ("kernel_size", "stride", "padding")}
        self.copies = outputs // channels
        self.order = torch.arange(outputs).reshape(channels, self.copies).T.reshape(-1)
        self.depthwise = nn.Conv2d(outputs, outputs, **size, groups=outputs)
        self.depthwise.load_state_dict({name: value[self.order] for name, value in grouped.state_dict().items()})

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.depthwise(torch.cat([x] * self.copies, dim=1))
        return out


def make_depthwise(trunk: nn.Module) -> None:
    """Replace the grouped convolutions between a FastViT's stages, in place; the trunk is reparameterised.

    They double the channels, two outputs a group, which runs at a fraction of a depthwise convolution's speed. What
    follows them, squeeze-and-excitation and a convolution of one pixel, takes the channels in their new order.
    """
    for embed in (module for module in trunk.modules() if isinstance(module, PatchEmbed)):
        large: Any = embed.proj[0]
        mix: Any = embed.proj[1]
        large.reparam_conv = RepeatedDepthwise(large.reparam_conv)
        order = large.reparam_conv.order
        if isinstance(large.se, SEModule):
            squeeze, excite = large.se.fc1, large.se.fc2
            squeeze.weight.data = squeeze.weight.data[:, order]
            excite.load_state_dict({name: value[order] for name, value in excite.state_dict().items()})
        mix.reparam_conv.weight.data = mix.reparam_conv.weight.data[:, order]
