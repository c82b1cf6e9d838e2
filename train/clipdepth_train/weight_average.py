"""An exponential moving average of a model's weights while it trains."""

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from clipdepth_train.checkpoint import load_weights
from clipdepth_train.depth_model import DepthModel


class WeightAverage:
    """A copy of `model` whose weights follow it: w ← decay · w + (1 - decay) · new, batch-norm statistics alike."""

    def __init__(self, model: DepthModel, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self._decay = decay
        self._steps = 0

    def restore(self, tensors: Mapping[str, Tensor], steps: int, path: Path) -> None:
        """Go on from the average that a checkpoint at `path` held after `steps` steps."""
        load_weights(self.model, tensors, path)
        self._steps = steps

    def follow(self, model: DepthModel) -> None:
        """Take in the weights of one more step."""
        share = 1 - decay_at(self._steps, self._decay)
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


def decay_at(step: int, decay: float) -> float:
    """The decay at a step, from 0: at most (1 + n)/(10 + n), so that the random first weights are soon forgotten."""
    return min(decay, (1 + step) / (10 + step))
