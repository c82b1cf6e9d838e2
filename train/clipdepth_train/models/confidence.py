"""How sure a network is: heads beside its bins, for each pixel and for the picture as a whole."""

import math
from abc import abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth.bundle.confidence import SHAPE, WITHIN
from clipdepth_train.models.decoder import BinHead
from clipdepth_train.models.network import BinNetwork
from clipdepth_train.models.novelty import NoveltyHead
from clipdepth_train.trunk import Trunk

SMALLEST, LARGEST = 0.01, 10.0
"""The scales that a head can state."""
PREFIXES = ("network.confidence.", "network.novelty.")
"""What the names of the heads' tensors begin with."""


class ConfidenceHead(nn.Module):
    """The scale of the relative error, from a pixel's features and from their mean over the picture.

    The bins' own spread does not tell it: a loss on their mean leaves them as broad as they like. See
    `clipdepth.bundle.confidence` for what a confidence is.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.local = nn.Conv2d(width, 1, 1)
        self.whole = nn.Linear(width, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width, h, w) to confidence (N, h, w), from 0 to 1."""
        log_scale = self.log_scale(features).clamp(math.log(SMALLEST), math.log(LARGEST))
        return 1 - torch.exp(-torch.exp(SHAPE * (math.log(WITHIN) - log_scale)))

    def log_scale(self, features: Tensor) -> Tensor:
        """The logarithm of the scale that is stated, before it is limited, (N, h, w)."""
        assert self.local.bias is not None
        # A linear map of the picture's mean is the mean of the map, so that one convolution reads the features.
        weight = torch.cat((self.local.weight, self.whole.weight[..., None, None]))
        both = F.conv2d(features.float(), weight, F.pad(self.local.bias, (0, 1)))
        return both[:, 0] + both[:, 1].mean(dim=(1, 2), keepdim=True)


class Features(NamedTuple):
    """Of a normalised image."""

    joined: Tensor
    """What the bins' scores are made of, (N, width, h, w)."""
    early: Tensor
    """What an early stage of the trunk sees, (N, early_width, h', w'): light and texture rather than things.

    The deeper features are, the more alike they make pictures that the network does not know.
    """


class ConfidentNetwork(BinNetwork):
    """A network of learned bins that may have heads for confidence and novelty, fitted when all else is trained."""

    head: BinHead

    def __init__(self, trunk: Trunk | None) -> None:
        super().__init__(trunk)
        self.confidence: ConfidenceHead | None = None
        self.novelty: NoveltyHead | None = None

    @abstractmethod
    def features(self, image: Tensor) -> Features:
        """The features of a normalised image."""

    @property
    @abstractmethod
    def early_width(self) -> int:
        """The number of early features."""

    @property
    def width(self) -> int:
        """The number of features that the scores are made of."""
        return self.head.score.in_channels

    def centres(self) -> Tensor:
        """See BinNetwork."""
        return self.head.centres()

    def joined(self, image: Tensor) -> Tensor:
        """What the bins' scores are made of, see `Features`."""
        return self.features(image).joined

    def scores(self, image: Tensor) -> Tensor:
        """See BinNetwork."""
        return self.head.scores(self.joined(image))

    def with_confidence(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Depth in metres and confidence, each (N, H, W), and novelty (N,); only for a network that has the heads."""
        assert self.confidence is not None
        assert self.novelty is not None
        joined, early = self.features(image)
        depth = self.expected(self.head.scores(joined))
        return self.at_size(depth, image), self.at_size(self.confidence(joined), image), self.novelty(early)


def has_confidence(names: Iterable[str]) -> bool:
    """Whether tensors of those names are of a network with the heads."""
    return any(name.startswith(PREFIXES) for name in names)
