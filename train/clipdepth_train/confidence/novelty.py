"""Fitting what pictures a network knows, and what counts as unlike them."""

import torch
from torch import Tensor

from clipdepth_train.models.novelty import NoveltyHead

SHRINKAGE = 0.01
"""The share of the mean variance that every direction's gets besides: pictures hardly differ in some."""
USUAL = 0.99
"""The share of held-out pictures whose novelty is below 1."""


def fit_novelty(head: NoveltyHead, pictures: Tensor) -> None:
    """Fit the head to the means of training pictures' features, (n, C), from scratch; its unit is one deviation."""
    centre = pictures.double().mean(dim=0)
    apart = pictures.double() - centre
    covariance = apart.T @ apart / len(apart)
    variances, directions = torch.linalg.eigh(covariance)
    whitening = directions.T / (variances.clamp(min=0) + SHRINKAGE * variances.mean()).sqrt()[:, None]
    with torch.no_grad():
        head.whitened.weight.copy_(whitening)
        head.whitened.bias.copy_(-whitening @ centre)


@torch.no_grad()
def unusual_distance(head: NoveltyHead, pictures: Tensor) -> float:
    """The distance that only 1 - USUAL of the pictures exceed, by the means of their features, (n, C)."""
    return float(head(pictures.to(head.whitened.weight)[:, :, None, None]).quantile(USUAL))


def set_unit(head: NoveltyHead, distance: float) -> None:
    """Let the head state novelty in units of that distance."""
    with torch.no_grad():
        head.whitened.weight.div_(distance)
        head.whitened.bias.div_(distance)
