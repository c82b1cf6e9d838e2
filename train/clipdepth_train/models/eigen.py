"""Coarse depth and its refinement (Eigen, Puhrsch and Fergus 2014; section 4.2 of the paper), with or without CLIP."""

import torch
from torch import Tensor, nn

from clipdepth.errors import UsageError
from clipdepth_train.clip import load_clip
from clipdepth_train.models.configs import CoarseAdapterConfig, EigenConfig
from clipdepth_train.models.depthclip import DistanceClasses, load_classes
from clipdepth_train.models.network import DepthNetwork
from clipdepth_train.trunk import Trunk, trunk_of_clip

HIDDEN = 4096
STRIDE = 4
"""Both maps have a quarter of the image's height and width."""


class CoarseNetwork(nn.Module):
    """Eigen et al.'s coarse stack: an image (N, 3, H, W) to a map (N, H/4, W/4) in metres.

    Convolutions 11×11 with stride 4 to 96 channels, 5×5 to 256, 3×3 to 384, 384 and 256, pools after the first two
    and the last, a fully connected layer of 4096 with dropout, and one to the map (their table 1; on their input of
    228×304 the last pool leaves 6×8).
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(96, 256, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        )
        h, w = _after_convolutions(size[0]), _after_convolutions(size[1])
        if h < 1 or w < 1:
            raise UsageError(f"an input of {size[0]}×{size[1]} is too small for depth_eigen's pools; 56×56 is needed")
        self.size = size[0] // STRIDE, size[1] // STRIDE
        self.connected = nn.Sequential(
            nn.Flatten(), nn.Linear(256 * h * w, HIDDEN), nn.ReLU(), nn.Dropout(), nn.Linear(HIDDEN, _area(self.size))
        )

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        depth: Tensor = self.connected(self.convolutions(image))
        return depth.reshape(-1, *self.size)


class CoarseAdapter(nn.Module):
    """The trunk's last features to CLIP's zero-shot depth, and that to a map (N, H/4, W/4) in metres.

    The zero-shot depth, 13·17 values for an image of 416×544, passes a fully connected layer of 4096, ReLU, and one
    to the map.
    """

    def __init__(self, classes: DistanceClasses, stride: int, size: tuple[int, int]) -> None:
        super().__init__()
        if size[0] % stride or size[1] % stride:
            raise UsageError(f"an input of {size[0]}×{size[1]} does not fit the trunk; give multiples of {stride}")
        self.classes = classes
        self.size = size[0] // STRIDE, size[1] // STRIDE
        cells = _area((size[0] // stride, size[1] // stride))
        self.connected = nn.Sequential(
            nn.Flatten(), nn.Linear(cells, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, _area(self.size))
        )

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        depth: Tensor = self.connected(self.classes(features))
        return depth.reshape(-1, *self.size)


class RefiningNetwork(nn.Module):
    """Eigen et al.'s fine stack: the image (N, 3, H, W) and a coarse map (N, H/4, W/4) to a finer one.

    A 9×9 convolution with stride 2 to 63 channels and a pool, joined by the coarse map, then 5×5 to 64 and 5×5 to
    1. The convolutions are padded, so that the map keeps the coarse one's size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Sequential(nn.Conv2d(3, 63, 9, stride=2, padding=4), nn.ReLU(), nn.MaxPool2d(2))
        self.mix = nn.Sequential(nn.Conv2d(64, 64, 5, padding=2), nn.ReLU(), nn.Conv2d(64, 1, 5, padding=2))

    def forward(self, image: Tensor, coarse: Tensor) -> Tensor:
        """See the class."""
        refined: Tensor = self.mix(torch.cat([self.image(image), coarse[:, None]], dim=1))
        return refined[:, 0]


class CoarseToFine(DepthNetwork):
    """A coarse map (N, H/4, W/4), of the image or of the trunk's last features, and maybe a refinement of it.

    The coarse stack is frozen in the network that refines it: the two are trained one after the other.
    """

    def __init__(self, trunk: Trunk | None, coarse: nn.Module, refining: RefiningNetwork | None) -> None:
        super().__init__(trunk)
        self.coarse = coarse
        self.refining = refining
        if trunk is not None:
            trunk.freeze()
        if refining is not None:
            coarse.requires_grad_(False)

    def train(self, mode: bool = True) -> "CoarseToFine":
        """Switch to training mode, which a frozen coarse stack (its dropout) never does."""
        super().train(mode)
        self.coarse.train(mode and self.refining is None)
        return self

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """See DepthNetwork."""
        coarse: Tensor = self.coarse(image if self.trunk is None else self.trunk(image)[-1])
        return coarse if self.refining is None else self.refining(image, coarse)


def build_eigen(config: EigenConfig, size: tuple[int, int]) -> CoarseToFine:
    """Build the model of `config` for an input of `size`, height and width."""
    if size[0] % STRIDE or size[1] % STRIDE:
        raise UsageError(f"an input of {size[0]}×{size[1]} has no quarter; give multiples of {STRIDE}")
    return CoarseToFine(None, CoarseNetwork(size), RefiningNetwork() if config.refined else None)


def build_coarse_adapter(config: CoarseAdapterConfig, size: tuple[int, int]) -> CoarseToFine:
    """Build the model of `config` for an input of `size`, height and width."""
    clip = load_clip(config.trunk)
    classes = load_classes(clip, config.trunk.name, config.temperature)
    trunk = trunk_of_clip(clip, config.trunk)
    return CoarseToFine(
        trunk, CoarseAdapter(classes, trunk.strides[-1], size), RefiningNetwork() if config.refined else None
    )


def _after_convolutions(side: int) -> int:
    return (((side - 11) // 4 + 1) // 4 - 3) // 2 + 1


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]
