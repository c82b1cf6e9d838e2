"""A depth model in half precision, as PyTorch runs it fastest on a GPU."""

import torch
from torch import Tensor, nn

from clipdepth_train.depth_model import DepthModel
from clipdepth_train.imported.framed import Framed


def in_half(model: DepthModel | Framed) -> nn.Module:
    """The model with its network in fp16 and channels-last memory, in place."""
    return model.half_network() if isinstance(model, Framed) else HalfModel(model)


class HalfModel(nn.Module):
    """The model's network in fp16 and channels-last memory; normalisation before it and the clamp after in fp32."""

    def __init__(self, model: DepthModel) -> None:
        super().__init__()
        self.model = model
        model.network.half().to(memory_format=torch.channels_last)

    def forward(self, frame: Tensor) -> Tensor:
        """Frames, (N, H, W, 3) uint8, to depth, (N, H, W) float32 metres."""
        image = self.model.image(frame).half().contiguous(memory_format=torch.channels_last)
        depth: Tensor = self.model.network(image, None).float()
        return depth.clamp(*self.model.depth_range)
