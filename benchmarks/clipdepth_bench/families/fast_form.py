"""A depth model in the form that PyTorch runs fastest: batch norms folded, channels-last memory, perhaps in half."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clipdepth_bench.families.folding import fold_batch_norms
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.imported.framed import Framed

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def fast_form(model: DepthModel | Framed, frame: NDArray[np.uint8], precision: str) -> nn.Module:
    """Fold a model's batch norms and put its network into `precision` and channels-last memory, in place, on the CPU.

    `frame`, (1, H, W, 3) uint8, is what the model is run on once; `precision` is 'fp32', 'bf16' or 'fp16'.
    """
    fold_batch_norms(model, torch.from_numpy(frame))
    return in_channels_last(model, _TYPES[precision])


def in_channels_last(model: DepthModel | Framed, dtype: torch.dtype) -> nn.Module:
    """The model with its network in `dtype` and channels-last memory, in place."""
    return model.in_channels_last(dtype) if isinstance(model, Framed) else ChannelsLast(model, dtype)


class ChannelsLast(nn.Module):
    """A model with its network in `dtype` and channels-last memory; normalisation and the final clamp stay in fp32."""

    def __init__(self, model: DepthModel, dtype: torch.dtype) -> None:
        super().__init__()
        self.model, self._dtype = model, dtype
        model.network.to(dtype).to(memory_format=torch.channels_last)

    def forward(self, frame: Tensor) -> Tensor:
        """Frames, (N, H, W, 3) uint8, to depth, (N, H, W) float32 metres."""
        image = self.model.image(frame).to(self._dtype).contiguous(memory_format=torch.channels_last)
        depth: Tensor = self.model.network(image, None).float()
        return depth.clamp(*self.model.depth_range)
