"""Fitting a head for confidence by the likelihood of errors, and calibrating it by that of what confidence promises.

An error e of scale b has, but for a factor, the likelihood exp(-(e / b)^SHAPE) / b^SHAPE. Its negative logarithm,
SHAPE log b + (e / b)^SHAPE, is convex in log b, and the head's log b is linear in its weights: there is one best fit,
and it takes seconds to find.

Errors follow that law only roughly. So calibration does not look at their sizes, only at which are within 10%, whose
probability is 1 - exp(-(0.1 / b)^SHAPE). That likelihood is convex in log b too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from clipdepth.bundle.confidence import SHAPE, WITHIN
from clipdepth_train.confidence.errors import Errors
from clipdepth_train.confidence.novelty import set_unit, unusual_distance
from clipdepth_train.models.confidence import ConfidenceHead
from clipdepth_train.models.novelty import NoveltyHead

RIDGE = 1e-2
"""How much the squared weights of features of variance 1 cost, beside the mean likelihood.

A tenth or a hundredth of it tells training errors better and others worse.
"""
_STEPS = 200
_STEEPEST = 20.0
"""A difference of log b from the mean one is limited to this: far from the best fit its exponential overflows."""


@dataclass(frozen=True)
class Calibration:
    """What makes an honest scale b' of a head's own b: log b' = slope · log b + offset.

    A head that is fitted on the frames that its network learned from knows how errors differ, not how large they are
    on others. `unusual` is the distance from training pictures that few others exceed, see `unusual_distance`.
    """

    slope: float
    offset: float
    unusual: float


def fit_head(head: ConfidenceHead, found: Errors) -> None:
    """Fit the head to errors, from scratch."""
    both = torch.cat((found.features, found.means), dim=1).double()
    mean, deviation = both.mean(dim=0), both.std(dim=0, unbiased=False).clamp(min=1e-6)
    errors = found.errors.double()
    start = float(errors.mean().clamp(min=1e-6).log())

    def surprise(log_scale: Tensor) -> Tensor:
        likely = log_scale.clamp(start - _STEEPEST, start + _STEEPEST)
        return SHAPE * log_scale + errors**SHAPE * torch.exp(-SHAPE * likely)

    weights, constant = _best_line((both - mean) / deviation, surprise, start, RIDGE)
    weights = weights / deviation
    local, whole = weights.chunk(2)
    with torch.no_grad():
        assert head.local.bias is not None
        head.local.weight.copy_(local[None, :, None, None])
        head.local.bias.fill_(constant - weights @ mean)
        head.whole.weight.copy_(whole[None])


def calibrate(head: ConfidenceHead, novelty: NoveltyHead, found: Errors) -> Calibration:
    """The calibration of heads by errors on frames that neither they nor their network learned from."""
    stated = _log_scales(head, found).double()
    mean, deviation = stated.mean(), stated.std(unbiased=False).clamp(min=1e-6)
    within = found.errors.double() <= WITHIN

    def surprise(log_scale: Tensor) -> Tensor:
        hazard = torch.exp(SHAPE * (math.log(WITHIN) - log_scale.clamp(-_STEEPEST, _STEEPEST)))
        return torch.where(within, -torch.log(-torch.expm1(-hazard)), hazard)

    weights, constant = _best_line(((stated - mean) / deviation)[:, None], surprise, float(mean), 0.0)
    slope = float(weights[0] / deviation)
    return Calibration(slope, float(constant - slope * mean), unusual_distance(novelty, found.pictures))


def apply_calibration(head: ConfidenceHead, novelty: NoveltyHead, calibration: Calibration) -> None:
    """Let the heads state the calibrated scale and novelty by themselves."""
    set_unit(novelty, calibration.unusual)
    with torch.no_grad():
        assert head.local.bias is not None
        head.local.weight.mul_(calibration.slope)
        head.whole.weight.mul_(calibration.slope)
        head.local.bias.mul_(calibration.slope).add_(calibration.offset)


@torch.no_grad()
def _log_scales(head: ConfidenceHead, found: Errors) -> Tensor:
    assert head.local.bias is not None
    device = head.local.weight.device
    local = found.features.to(device) @ head.local.weight[0, :, 0, 0] + head.local.bias
    return (local + found.means.to(device) @ head.whole.weight[0]).cpu()


def _best_line(
    inputs: Tensor, surprise: Callable[[Tensor], Tensor], start: float, ridge: float
) -> tuple[Tensor, float]:
    """The weights (C,) and the constant of the log b = inputs @ weights + constant of the least mean surprise.

    `surprise` is the negative logarithm of each pixel's likelihood, (n,), given log b, (n,).
    """
    weights = torch.zeros(inputs.shape[1], dtype=inputs.dtype, requires_grad=True)
    constant = torch.tensor(start, dtype=inputs.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, constant], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        cost: Tensor = surprise(inputs @ weights + constant).mean() + ridge * weights.square().sum()
        cost.backward()  # type: ignore[no-untyped-call]
        return cost

    step: Callable[[Callable[[], Tensor]], Tensor] = optimizer.step
    step(loss)
    return weights.detach(), float(constant.detach())
