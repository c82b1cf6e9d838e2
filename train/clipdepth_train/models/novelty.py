"""Whether a picture as a whole is like those that a network learned from."""

import torch
from torch import Tensor, nn


class NoveltyHead(nn.Module):
    """How far the mean of a picture's features is from that of training pictures, by their covariance.

    A Mahalanobis distance, as Lee et al. 2018 take it of a network's features, in units of an unusual one: see
    `clipdepth.bundle.confidence`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.whitened = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width, h, w) to novelty (N,), from 0 on."""
        distance: Tensor = torch.linalg.vector_norm(self.whitened(features.float().mean(dim=(2, 3))), dim=1)
        return distance
