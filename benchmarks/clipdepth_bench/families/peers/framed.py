"""A network of another project behind our frame contract, so that its preprocessing is inside the timing as ours is."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class Framed(nn.Module):
    """Turns (N, H, W, 3) uint8 BGR frames into what `network` takes, (N, 3, H, W) float32 RGB, and gives its depth.

    Colours from 0 to 1 are normalised by `mean` and `std`; `depth` picks (N, H, W) out of the network's answer.
    """

    bgr_to_rgb: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        depth: Callable[..., Tensor],
        mean: Sequence[float] = (0, 0, 0),
        std: Sequence[float] = (1, 1, 1),
    ) -> None:
        super().__init__()
        self.network, self._depth = network, depth
        self.register_buffer("bgr_to_rgb", torch.tensor([2, 1, 0]))
        self.register_buffer("mean", 255 * torch.tensor(mean, dtype=torch.float32)[None, :, None, None])
        self.register_buffer("std", 255 * torch.tensor(std, dtype=torch.float32)[None, :, None, None])

    def forward(self, frame: Tensor) -> Tensor:
        """See the class."""
        rgb = frame.float().index_select(3, self.bgr_to_rgb).permute(0, 3, 1, 2).contiguous()
        return self._depth(self.network((rgb - self.mean) / self.std))
