"""The edge model: a pretrained trunk, a light pyramid with detail, depth as the mean over bins."""

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth_train.models.confidence import ConfidentNetwork, Features
from clipdepth_train.models.configs import EdgeConfig
from clipdepth_train.models.network import expectation
from clipdepth_train.trunk import Trunk, load_trunk

T = TypeVar("T")


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


class Edge(ConfidentNetwork):
    """The trunk on the shrunk picture, detail of the whole one, the pyramid that joins them, and the bins.

    Depth is made at the pyramid's finest stride: 4 with detail, else the trunk's finest times `shrink`.
    """

    def __init__(
        self, trunk: Trunk, shrink: int, detail: nn.Sequential | None, pyramid: FeaturePyramid, head: BinHead
    ) -> None:
        super().__init__(trunk)
        self.shrink = shrink
        self.stages = len(pyramid.lateral) - (detail is not None)
        self.detail = detail
        self.pyramid = pyramid
        self.head = head

    def centres(self) -> Tensor:
        """See BinNetwork."""
        return self.head.centres()

    def scores_of(self, joined: Tensor) -> Tensor:
        """See ConfidentNetwork."""
        return self.head.scores(joined)

    @property
    def width(self) -> int:
        """See ConfidentNetwork."""
        return self.head.score.in_channels

    @property
    def early_width(self) -> int:
        """See ConfidentNetwork."""
        assert self.trunk is not None
        return _early(self.trunk.channels[-self.stages :])

    def features(self, image: Tensor) -> Features:
        """See ConfidentNetwork; the pyramid's, and those of the trunk's stage at stride 8."""
        assert self.trunk is not None
        seen = F.avg_pool2d(image, self.shrink) if self.shrink > 1 else image
        stages = self.trunk(seen)[-self.stages :]  # without one at stride 2
        pyramid = stages if self.detail is None else (self.detail(image), *stages)
        return Features(self.pyramid(pyramid), _early(stages))


def _early(stages: Sequence[T]) -> T:
    """The second of the trunk's stages, or the only one."""
    return stages[:2][-1]


def build_edge(config: EdgeConfig, size: tuple[int, int]) -> Edge:
    """Build the model of `config`, for any size."""
    trunk = load_trunk(config.trunk, config.stages)
    channels = trunk.channels[-config.stages :]
    detail = None
    if config.detail:
        detail = nn.Sequential(convolution(3, 16, 3, stride=2), convolution(16, config.detail, 3, stride=2))
        channels = (config.detail, *channels)
    head = BinHead(config.width, config.bins, config.min_depth, config.max_depth)
    return Edge(trunk, config.shrink, detail, FeaturePyramid(channels, config.width), head)
