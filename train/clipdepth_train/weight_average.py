"""An average of a model's weights while it trains."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from clipdepth_train.checkpoint import load_weights
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.recipe import OptimConfig


class WeightAverage:
    """A copy of `model` whose weights follow it: w ← w + share · (new - w), batch-norm statistics alike.

    `share_at` says the share of the new weights by the number of steps before, see `averaging`.
    """

    def __init__(self, model: DepthModel, share_at: Callable[[int], float]) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self._share_at = share_at
        self._steps = 0

    def restore(self, tensors: Mapping[str, Tensor], steps: int, path: Path) -> None:
        """Go on from the average that a checkpoint at `path` held after `steps` steps."""
        load_weights(self.model, tensors, path)
        self._steps = steps

    def follow(self, model: DepthModel) -> None:
        """Take in the weights of one more step."""
        share = self._share_at(self._steps)
        self._steps += 1
        self.mix(model, share)

    @torch.no_grad()
    def mix(self, model: DepthModel, share: float | Tensor) -> None:
        """Take in a model's weights by `share`, a number or a scalar tensor where the weights are."""
        old, new = self.model.state_dict(), model.state_dict()
        averaged = [name for name, value in old.items() if value.is_floating_point()]
        kept = [old[name] for name in averaged]
        # All weights in a few kernels: one by one they take a GPU longer than a forward pass.
        change = torch._foreach_sub([new[name] for name in averaged], kept)
        torch._foreach_mul_(change, share)
        torch._foreach_add_(kept, change)
        for name in old.keys() - set(averaged):
            old[name].copy_(new[name])


def averaging(optim: OptimConfig, steps: int, per_epoch: int) -> Callable[[int], float] | None:
    """The share that a step's weights take of the average, by the number of steps before it; None for no average.

    The mean of the weights after each of the last `average_epochs` epochs' steps (stochastic weight averaging, Izmailov
    et al. 2018), or the exponential average of `ema`. Of that the decay is at most (1 + n)/(10 + n), so that the random
    first weights are soon forgotten.
    """
    if optim.average_epochs:
        first = steps - optim.average_epochs * per_epoch
        return lambda step: 1 / max(1, step - first + 1)
    if optim.ema:
        return lambda step: 1 - min(optim.ema, (1 + step) / (10 + step))
    return None
