"""What every depth network has."""

from torch import Tensor, nn

from clipdepth_train.trunk import Trunk


class DepthNetwork(nn.Module):
    """A network on a CLIP trunk; `forward` takes a normalised image (N, 3, H, W), RGB, to depth (N, H, W) in metres."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def __call__(self, image: Tensor) -> Tensor:
        """See the class."""
        depth: Tensor = super().__call__(image)
        return depth
