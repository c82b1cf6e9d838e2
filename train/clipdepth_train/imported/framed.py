"""A network of another project behind the frame contract."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipdepth.bundle.manifest import DepthRange

Answer = Callable[[Any], Tensor]
"""Picks what is known of each pixel, (N, h, w) or (N, 1, h, w) float, out of all that a network gives."""
Resizing = Literal["bilinear", "bicubic"]


class Framed(nn.Module):
    """Turns frames, (N, H, W, 3) uint8 BGR, into `network`'s answer at their size, (N, H, W) float32.

    The network takes (N, 3, H, W) float32, RGB from 0 to 1 less `mean` over `std`. Its answer is resized to the frame's
    size by `resizing`, with the corners of both aligned at their outer edges, as pixels are areas, and clamped to
    `depth`, if given.
    """

    bgr_to_rgb: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        answer: Answer = lambda given: given,
        mean: Sequence[float] = (0, 0, 0),
        std: Sequence[float] = (1, 1, 1),
        depth: DepthRange | None = None,
        resizing: Resizing = "bilinear",
    ) -> None:
        super().__init__()
        self.network, self._answer, self._depth, self._resizing = network, answer, depth, resizing
        self._dtype = torch.float32
        self.register_buffer("bgr_to_rgb", torch.tensor([2, 1, 0]))
        self.register_buffer("mean", 255 * torch.tensor(mean, dtype=torch.float32)[None, :, None, None])
        self.register_buffer("std", 255 * torch.tensor(std, dtype=torch.float32)[None, :, None, None])

    def in_channels_last(self, dtype: torch.dtype) -> "Framed":
        """Compute the network in `dtype` and channels-last memory, in place; all around it stays in fp32."""
        self.network.to(dtype).to(memory_format=torch.channels_last)
        self._dtype = dtype
        return self

    def forward(self, frame: Tensor) -> Tensor:
        """See the class."""
        # Cast before the permutation: TensorRT takes uint8 only into a Cast.
        rgb = frame.float().index_select(3, self.bgr_to_rgb).permute(0, 3, 1, 2).contiguous()
        picture = ((rgb - self.mean) / self.std).to(self._dtype)
        answer = self._answer(self.network(picture)).float()
        if answer.dim() == 4:
            answer = answer[:, 0]
        size = frame.shape[1:3]
        if answer.shape[1:] != size:
            answer = F.interpolate(answer[:, None], size, mode=self._resizing, align_corners=False)[:, 0]
        return answer if self._depth is None else answer.clamp(self._depth.minimum, self._depth.maximum)
