"""The space model: a frozen vision transformer, a light pyramid of several of its blocks, depth as the mean over bins.

As in SPACE-CLIP (2026), whose decoder of 12 M weights reads a frozen CLIP ViT-B/16 without a text tower.
"""

from torch import Tensor, nn

from clipdepth_train.models.confidence import ConfidentNetwork, Features
from clipdepth_train.models.configs import SpaceConfig
from clipdepth_train.models.decoder import BinHead, FeaturePyramid
from clipdepth_train.transformer_trunk import TransformerTrunk, load_transformer, require_multiples


class Levels(nn.ModuleList):
    """Features of one stride at four: a quarter of it, half of it, the same, and twice as much, (N, width, …) each."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        quarter, half, same, double = channels
        super().__init__(
            [
                nn.ConvTranspose2d(quarter, width, 4, stride=4),
                nn.ConvTranspose2d(half, width, 2, stride=2),
                nn.Conv2d(same, width, 1),
                nn.Conv2d(double, width, 3, stride=2, padding=1),
            ]
        )

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Four features, (N, channels, h, w) each."""
        return tuple(level(x) for level, x in zip(self, features, strict=True))


class Space(ConfidentNetwork):
    """The trunk, its features as four levels, the pyramid that joins them, and the bins.

    Depth is made at a quarter of the patches' stride. Height and width are multiples of the patches'.
    """

    def __init__(self, trunk: TransformerTrunk, levels: Levels, pyramid: FeaturePyramid, head: BinHead) -> None:
        super().__init__(trunk)
        self.levels = levels
        self.pyramid = pyramid
        self.head = head

    @property
    def early_width(self) -> int:
        """See ConfidentNetwork."""
        assert self.trunk is not None
        return self.trunk.channels[0]

    def features(self, image: Tensor) -> Features:
        """See ConfidentNetwork; the pyramid's, and those of the first of the transformer's blocks."""
        assert self.trunk is not None
        blocks = self.trunk(image)
        return Features(self.pyramid(self.levels(blocks)), blocks[0])


def build_space(config: SpaceConfig, size: tuple[int, int]) -> Space:
    """Build the model of `config` for an input of `size`, height and width; another size may follow.

    Raises UsageError for a size that the trunk's patches do not tile.
    """
    trunk = load_transformer(config.trunk, config.blocks)
    require_multiples(trunk.strides[0], *size)
    head = BinHead(config.width, config.bins, *config.depth_range)
    return Space(trunk, Levels(trunk.channels, config.width), FeaturePyramid((config.width,) * 4, config.width), head)
