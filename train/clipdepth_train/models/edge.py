"""The edge model: a MobileCLIP trunk, a light feature pyramid, depth as the expectation over learned bins."""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth.errors import UsageError
from clipdepth_train.clip import ClipConfig, load_clip
from clipdepth_train.models.network import BinNetwork, expectation
from clipdepth_train.trunk import Trunk


@dataclass(frozen=True)
class EdgeConfig:
    """A light depth model for small machines."""

    clip: ClipConfig = field(default_factory=lambda: ClipConfig("MobileCLIP2-S0", "dfndr2b"))
    """The CLIP whose trunk is the encoder."""
    width: int = 96
    """Channels of the feature pyramid."""
    bins: int = 64
    """Number of depth bins."""
    min_depth: float = 0.3
    """The near end of the first bin, in metres."""
    max_depth: float = 10.0
    """The far end of the last bin, in metres."""

    @property
    def depth_range(self) -> tuple[float, float]:
        """The ends of the bins, metres."""
        return self.min_depth, self.max_depth

    def __post_init__(self) -> None:
        if not 0 < self.min_depth < self.max_depth:
            raise UsageError(f"depth from {self.min_depth} to {self.max_depth} m: it has to rise, from above 0")
        if self.width < 1 or self.bins < 2:
            raise UsageError(f"--model.width {self.width} and --model.bins {self.bins}: at least 1 and 2 are needed")


def convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution without bias, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class FeaturePyramid(nn.Module):
    """Features at strides 4 to 32 joined from coarse to fine, as Lin et al. 2017 do: (N, width, H/4, W/4)."""

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
        self.mix = convolution(width, width, 3)
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
        scores: Tensor = self.score(self.mix(x))
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) to depth (N, h, w) in metres."""
        return expectation(self.scores(x), self.centres())


class Edge(BinNetwork):
    """The trunk, its feature pyramid and the bins; depth is made at stride 4."""

    def __init__(self, trunk: Trunk, pyramid: FeaturePyramid, head: BinHead) -> None:
        super().__init__(trunk)
        self.pyramid = pyramid
        self.head = head

    def centres(self) -> Tensor:
        """See BinNetwork."""
        return self.head.centres()

    def scores(self, image: Tensor) -> Tensor:
        """See BinNetwork."""
        assert self.trunk is not None
        features = self.trunk(image)[-len(self.pyramid.lateral) :]
        return self.head.scores(self.pyramid(features))


def build_edge(config: EdgeConfig) -> Edge:
    """Build the model of `config`."""
    trunk = Trunk(load_clip(config.clip))
    pyramid = FeaturePyramid(trunk.channels[-4:], config.width)
    return Edge(trunk, pyramid, BinHead(config.width, config.bins, config.min_depth, config.max_depth))
