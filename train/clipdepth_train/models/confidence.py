"""How sure a network is of each pixel's depth: a head on the features that its bins are told from."""

from abc import abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from clipdepth.bundle.confidence import WITHIN
from clipdepth_train.models.network import BinNetwork
from clipdepth_train.trunk import Trunk

SMALLEST, LARGEST = 0.01, 10.0
"""The scales that a head can state."""
PREFIX = "confidence."
"""What the names of the head's tensors begin with, within the network's."""


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
        log_scale = self.log_scale(features).clamp(*torch.tensor([SMALLEST, LARGEST]).log().tolist())
        return 1 - torch.exp(-WITHIN / torch.exp(log_scale))

    def log_scale(self, features: Tensor) -> Tensor:
        """The logarithm of the scale that is stated, before it is limited, (N, h, w)."""
        features = features.float()
        stated: Tensor = self.local(features)[:, 0] + self.whole(features.mean(dim=(2, 3)))[..., None]
        return stated


class ConfidentNetwork(BinNetwork):
    """A network of bins that may have a head for confidence, which is fitted when all else is trained."""

    def __init__(self, trunk: Trunk | None) -> None:
        super().__init__(trunk)
        self.confidence: ConfidenceHead | None = None

    @abstractmethod
    def joined(self, image: Tensor) -> Tensor:
        """The features of a normalised image that the bins' scores are made of, (N, width, h, w)."""

    @abstractmethod
    def scores_of(self, joined: Tensor) -> Tensor:
        """Their logits of the bins, (N, K, h, w)."""

    @property
    @abstractmethod
    def width(self) -> int:
        """The number of those features."""

    def scores(self, image: Tensor) -> Tensor:
        """See BinNetwork."""
        return self.scores_of(self.joined(image))

    def with_confidence(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Depth in metres and confidence, each (N, H, W); only for a network that has the head."""
        assert self.confidence is not None
        joined = self.joined(image)
        depth = self.expected(self.scores_of(joined))
        return self.at_size(depth, image), self.at_size(self.confidence(joined), image)


def has_confidence(names: Iterable[str]) -> bool:
    """Whether tensors of those names are of a network with the head."""
    return any(name.startswith(f"network.{PREFIX}") for name in names)
