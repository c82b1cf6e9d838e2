"""The space model: a frozen vision transformer, a light pyramid of several of its blocks, depth as the mean over bins.

As in SPACE-CLIP (2026), whose decoder of 12 M weights reads a frozen CLIP ViT-B/16 without a text tower.
"""

from torch import Tensor, nn

from clipdepth_train.models.configs import SpaceConfig
from clipdepth_train.models.edge import BinHead, FeaturePyramid
from clipdepth_train.models.network import BinNetwork
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


class Space(BinNetwork):
    """The trunk, its features as four levels, the pyramid that joins them, and the bins.

    Depth is made at a quarter of the patches' stride. Height and width are multiples of the patches'.
    """

    def __init__(self, trunk: TransformerTrunk, levels: Levels, pyramid: FeaturePyramid, head: BinHead) -> None:
        super().__init__(trunk)
        self.levels = levels
        self.pyramid = pyramid
        self.head = head

    def centres(self) -> Tensor:
        """See BinNetwork."""
        return self.head.centres()

    def scores(self, image: Tensor) -> Tensor:
        """See BinNetwork."""
        assert self.trunk is not None
        return self.head.scores(self.pyramid(self.levels(self.trunk(image))))


def build_space(config: SpaceConfig, size: tuple[int, int]) -> Space:
    """Build the model of `config` for an input of `size`, height and width; another size may follow.

    Raises UsageError for a size that the trunk's patches do not tile.
    """
    trunk = load_transformer(config.trunk, config.blocks)
    require_multiples(trunk.strides[0], *size)
    head = BinHead(config.width, config.bins, *config.depth_range)
    return Space(trunk, Levels(trunk.channels, config.width), FeaturePyramid((config.width,) * 4, config.width), head)
