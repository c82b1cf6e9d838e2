"""An exponential moving average of a model's weights while it trains."""

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from clipdepth_train.checkpoint import load_weights
from clipdepth_train.depth_model import DepthModel


class WeightAverage:
    """A copy of `model` whose weights follow it: w ← decay · w + (1 - decay) · new, batch-norm statistics alike.

    At step n the decay is at most (1 + n)/(10 + n), so that the random first weights are soon forgotten.
    """

    def __init__(self, model: DepthModel, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self._decay = decay
        self._steps = 0

    def restore(self, tensors: Mapping[str, Tensor], steps: int, path: Path) -> None:
        """Go on from the average that a checkpoint at `path` held after `steps` steps."""
        load_weights(self.model, tensors, path)
        self._steps = steps

    @torch.no_grad()
    def follow(self, model: DepthModel) -> None:
        """Take in the weights of one more step."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        new = model.state_dict()
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - decay)
            else:
                value.copy_(new[name])
