"""What every depth network has."""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth_train.trunk import Trunk


class DepthNetwork(nn.Module, ABC):
    """From a normalised image (N, 3, H, W), RGB, to depth (N, H, W) in metres.

    `native` answers at the network's own resolution; `forward` resizes that bilinearly to the image's, with the
    corners aligned where `aligned` says so. A network that `needs_segmentation` takes SAM's painted masks as well,
    (N, 3, H, W) from 0 to 1. `trunk` is None in a network without CLIP.
    """

    aligned = False
    needs_segmentation = False

    def __init__(self, trunk: Trunk | None) -> None:
        super().__init__()
        self.trunk = trunk

    def __call__(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """See the class."""
        depth: Tensor = super().__call__(image, segmentation)
        return depth

    def forward(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """See the class."""
        return self.at_size(self.native(image, segmentation), image)

    @abstractmethod
    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """Depth (N, h, w) in metres, before it is resized."""

    def at_size(self, depth: Tensor, image: Tensor) -> Tensor:
        """Resize `native` depth (N, h, w) to the image's size."""
        return resize(depth, image, self.aligned)


class BinNetwork(DepthNetwork):
    """A network whose depth is the expectation over bins, which it also classifies each pixel into."""

    @abstractmethod
    def scores(self, image: Tensor) -> Tensor:
        """Logits of the bins, (N, K, h, w)."""

    @abstractmethod
    def centres(self) -> Tensor:
        """The bins' depths, (K,) metres."""

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """See DepthNetwork."""
        return self.expected(self.scores(image))

    def expected(self, scores: Tensor) -> Tensor:
        """Logits of the bins, (N, K, h, w), to depth, (N, h, w) metres."""
        return expectation(scores, self.centres())


def expectation(scores: Tensor, centres: Tensor) -> Tensor:
    """Logits (N, K, h, w) of bins at (K,) metres to their mean depth (N, h, w), in float32."""
    probability = scores.float().softmax(dim=1)
    return (probability * centres[None, :, None, None]).sum(dim=1)


def resize(depth: Tensor, image: Tensor, aligned: bool) -> Tensor:
    """Resize depth (N, h, w) bilinearly to the size of `image`."""
    if depth.shape[-2:] == image.shape[-2:]:
        return depth
    return F.interpolate(depth[:, None], image.shape[-2:], mode="bilinear", align_corners=aligned)[:, 0]
