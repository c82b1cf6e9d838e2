"""Training losses, each over the pixels whose depth is known."""

import torch
from torch import Tensor

from clipdepth_train.recipe import LossConfig

# Depth is positive; an unbounded network may say otherwise early on, and log needs a floor.
SMALLEST_DEPTH = 1e-3


def depth_loss(prediction: Tensor, truth: Tensor, config: LossConfig) -> Tensor:
    """The recipe's loss of `prediction` against `truth`, both (N, H, W) float32 metres, 0 in truth for unknown.

    A batch without a known pixel costs 0.
    """
    known = truth > 0
    predicted, true = prediction.float()[known], truth[known]
    if predicted.numel() == 0:
        return prediction.float().sum() * 0
    if config.kind == "l1":
        return l1(predicted, true)
    if config.kind == "l2":
        return l2(predicted, true)
    return silog(predicted, true, config.silog_lambda)


def l1(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error, metres (equation 8 of the paper)."""
    return (predicted - true).abs().mean()


def l2(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean squared error, square metres (equation 9, as the authors' code has it)."""
    return (predicted - true).square().mean()


def silog(predicted: Tensor, true: Tensor, forgiven: float) -> Tensor:
    """Scale-invariant log loss: √(mean g² - λ (mean g)²), g = ln ŷ - ln y (Eigen et al. 2014, equation 4).

    The square root is BTS's (Lee et al. 2019), whose factor of 10 is left out.
    """
    g = predicted.clamp_min(SMALLEST_DEPTH).log() - true.log()
    # The same as in the docstring, but never below 0 by rounding; the small term keeps the square root's slope
    # finite at a perfect answer.
    mean = g.mean()
    return torch.sqrt((g - mean).square().mean() + (1 - forgiven) * mean.square() + 1e-8)
