"""The edge model: a pretrained trunk, a light pyramid with detail, depth as the mean over bins."""

from collections.abc import Sequence
from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth_train.models.confidence import ConfidentNetwork, Features
from clipdepth_train.models.configs import EdgeConfig
from clipdepth_train.models.decoder import BinHead, FeaturePyramid, convolution
from clipdepth_train.trunk import Trunk, load_trunk

T = TypeVar("T")


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
