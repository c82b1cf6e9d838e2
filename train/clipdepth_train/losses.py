"""Training losses. Depth is (N, H, W) float32 metres, 0 in the truth for unknown; means go over all processes."""

import torch
import torch.nn.functional as F
from kornia.losses import inverse_depth_smoothness_loss
from torch import Tensor

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth_train.processes import mean_over_processes
from clipdepth_train.recipe import LossConfig

# Depth is positive; an unbounded network may say otherwise early on, and log needs a floor.
SMALLEST_DEPTH = 1e-3
GRADIENT_SCALES = 4
# Of a picture that is all the same.
SMALLEST_DEVIATION = 1e-4


def depth_loss(prediction: Tensor, truth: Tensor, config: LossConfig) -> Tensor:
    """The recipe's supervised term, over the pixels whose depth is known; 0 for a batch without one."""
    known, prediction = truth > 0, prediction.float()
    if config.kind == "l1":
        return l1(prediction, truth, known)
    if config.kind == "l2":
        return l2(prediction, truth, known)
    return silog(prediction, truth, known, config.silog_lambda)


def l1(prediction: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Mean absolute error, metres (equation 8 of the paper)."""
    return mean_over_processes((prediction - truth).abs(), known)


def l2(prediction: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Mean squared error, square metres (equation 9, as the authors' code has it)."""
    return mean_over_processes((prediction - truth).square(), known)


def silog(prediction: Tensor, truth: Tensor, known: Tensor, forgiven: float) -> Tensor:
    """Scale-invariant log loss: √(mean g² - λ (mean g)²), g = ln ŷ - ln y (Eigen et al. 2014, equation 4).

    The square root is BTS's (Lee et al. 2019), whose factor of 10 is left out.
    """
    g = log_ratio(prediction, truth, known)
    # The same as in the docstring, but never below 0 by rounding; the small term keeps the square root's slope
    # finite at a perfect answer.
    mean = mean_over_processes(g, known)
    loss = torch.sqrt(mean_over_processes((g - mean).square(), known) + (1 - forgiven) * mean.square() + 1e-8)
    any_known = mean_over_processes(known.float(), known)
    return loss * any_known


def log_ratio(prediction: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """ln ŷ - ln y where y is known, 0 elsewhere."""
    safe = torch.where(known, truth, 1)
    return torch.where(known, prediction.float().clamp_min(SMALLEST_DEPTH).log() - safe.log(), 0)


def gradient_loss(prediction: Tensor, truth: Tensor) -> Tensor:
    """Differences in the gradients of log depth, at four scales (Li and Snavely 2018, MegaDepth, equation 3).

    At each scale the mean of |g(x+1) - g(x)| between known neighbours, in x and in y, g = ln ŷ - ln y; every second
    pixel goes on to the next scale.
    """
    known = truth > 0
    g = log_ratio(prediction, truth, known)
    loss = g.new_zeros(())
    for _ in range(GRADIENT_SCALES):
        for axis in (1, 2):
            ahead, here = g.narrow(axis, 1, g.shape[axis] - 1), g.narrow(axis, 0, g.shape[axis] - 1)
            both = known.narrow(axis, 1, g.shape[axis] - 1) & known.narrow(axis, 0, g.shape[axis] - 1)
            loss = loss + mean_over_processes((ahead - here).abs(), both)
        g, known = g[:, ::2, ::2], known[:, ::2, ::2]
    return loss


def bin_loss(scores: Tensor, centres: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy of each pixel's bin: logits (N, K, h, w), bins at (K,) metres, true depth (N, H, W).

    The true bin is the nearest in log depth, for the true depth that lies nearest to the logits' place.
    """
    truth = nearest(truth, scores)
    known = truth > 0
    distance = (torch.where(known, truth, 1).log()[:, None] - centres.detach().log()[None, :, None, None]).abs()
    return mean_over_processes(F.cross_entropy(scores.float(), distance.argmin(dim=1), reduction="none"), known)


def smoothness_loss(depth: Tensor, picture: Tensor) -> Tensor:
    """|∂D|·exp(-|∂I|) in x and y: depth may jump where the picture (N, 3, H, W), 0 to 1, does (the paper's equation 7).

    The paper prints exp(+|∂I|); its code, like everyone's, has the minus.
    """
    if picture.shape[-2:] != depth.shape[-2:]:
        picture = F.interpolate(picture, depth.shape[-2:], mode="area")
    loss: Tensor = inverse_depth_smoothness_loss(depth.float()[:, None], picture)
    return loss


def symmetry_loss(depth: Tensor, mirrored: Tensor) -> Tensor:
    """Mean absolute difference between the picture's depth and its mirror image's, mirrored back, metres."""
    return (depth.float() - mirrored.float()).abs().mean()


def distillation_loss(depth: Tensor, taught: Tensor, kind: DepthKind) -> Tensor:
    """The difference between depth and what a teacher answers, both (N, H, W), 0 where it says nothing.

    Of a metric teacher the mean absolute difference in log depth. Of a relative one that of `affine_loss` from depth,
    of one that answers disparity that from 1/depth.
    """
    if kind == METRIC:
        known = taught > 0
        return mean_over_processes(log_ratio(depth, taught, known).abs(), known)
    depth = depth.float()
    return affine_loss(depth.clamp_min(SMALLEST_DEPTH).reciprocal() if kind == "disparity" else depth, taught)


def affine_loss(answer: Tensor, taught: Tensor) -> Tensor:
    """Mean absolute difference after each picture's median is taken away and its mean deviation made 1.

    Ranftl et al. 2020 (MiDaS), equations 6 and 7: 0 where one is the other times a scale above 0 plus a shift. Their
    fit by least squares, equation 5, would also call depth right that is turned inside out.
    """
    known = taught > 0
    difference = (_normalised(answer, known) - _normalised(taught, known)).abs()
    pixels = known.sum((1, 2))
    return mean_over_processes(difference.sum((1, 2)) / pixels.clamp_min(1), pixels > 0)


def _normalised(values: Tensor, known: Tensor) -> Tensor:
    """Per picture (v - median) / mean |v - median| of what is known, 0 elsewhere."""
    median = torch.where(known, values, torch.nan).flatten(1).nanmedian(1).values.nan_to_num()
    centred = torch.where(known, values - median[:, None, None], 0)
    deviation = centred.abs().sum((1, 2)) / known.sum((1, 2)).clamp_min(1)
    return centred / deviation.clamp_min(SMALLEST_DEVIATION)[:, None, None]


def nearest(truth: Tensor, like: Tensor) -> Tensor:
    """The true depth (N, H, W) at the size of `like`, by nearest neighbour: a mean across an edge is nowhere."""
    if truth.shape[-2:] == like.shape[-2:]:
        return truth
    return F.interpolate(truth[:, None], like.shape[-2:], mode="nearest-exact")[:, 0]
