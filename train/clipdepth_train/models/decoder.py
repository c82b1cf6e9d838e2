"""What makes depth of a trunk's features: a light pyramid that joins them, and learned bins."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth_train.models.network import expectation


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class FeaturePyramid(nn.Module):
    """Features at several strides joined from coarse to fine, as Lin et al. 2017 do: (N, width, h, w) of the finest."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(convolution(c, width, 1) for c in channels)
        self.smooth = nn.ModuleList(convolution(width, width, 3) for _ in channels[:-1])

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Features from fine to coarse, (N, channels, H/stride, W/stride) each."""
        levels = [lateral(f) for lateral, f in zip(self.lateral, features, strict=True)]
        x: Tensor = levels.pop()
        for smooth, level in zip(reversed(self.smooth), reversed(levels), strict=True):
            x = smooth(level + F.interpolate(x, level.shape[-2:], mode="bilinear", align_corners=False))
        return x


class BinHead(nn.Module):
    """Depth as the expectation over bins whose widths are learned, the same for all images.

    As in AdaBins (Bhat et al. 2021, equations 2 and 3) the widths are a softmax, so that the bins always tile
    [min_depth, max_depth]; they start out equal in log depth.
    """

    def __init__(self, width: int, bins: int, min_depth: float, max_depth: float) -> None:
        super().__init__()
        self.score = nn.Conv2d(width, bins, 1)
        edges = torch.linspace(math.log(min_depth), math.log(max_depth), bins + 1).exp()
        self.log_widths = nn.Parameter(edges.diff().log())
        self.min_depth, self.max_depth = min_depth, max_depth

    def centres(self) -> Tensor:
        """The bins' centres: (bins,) metres, rising."""
        widths = (self.max_depth - self.min_depth) * self.log_widths.softmax(dim=0)
        return self.min_depth + widths.cumsum(dim=0) - widths / 2

    def scores(self, x: Tensor) -> Tensor:
        """(N, width, h, w) to logits (N, bins, h, w)."""
        scores: Tensor = self.score(x)
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) to depth (N, h, w) in metres."""
        return expectation(self.scores(x), self.centres())
