"""CLIP-Adapter for depth (section 4.1 of the paper): small residual networks on CLIP's image and text features."""

import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth_train.clip import load_clip
from clipdepth_train.models.configs import ClipAdapterConfig
from clipdepth_train.models.depthclip import DepthClip, DistanceClasses, load_classes
from clipdepth_train.trunk import Trunk, trunk_of_clip

IMAGE_REDUCTION, TEXT_REDUCTION = 256, 128
SHARE = 0.2
"""How much of the adapted feature is mixed in."""


class ResidualAdapter(nn.Module):
    """Two linear layers without bias, each followed by ReLU, mixed into what they adapt.

    `forward` takes features (…, C) to 0.2 · adapter(x) + 0.8 · x (Gao et al. 2021, equations 5 to 8).
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.adapt = nn.Sequential(
            nn.Linear(channels, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, channels, bias=False), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        mixed: Tensor = SHARE * self.adapt(x) + (1 - SHARE) * x
        return mixed


class ClipAdapter(DepthClip):
    """DepthCLIP whose features pass adapters on their way to the cosine similarity; None leaves them as they are.

    Unlike DepthCLIP it brings the compared channels to length 1, and not all of them, as the authors' code does.
    """

    def __init__(
        self, trunk: Trunk, classes: DistanceClasses, image: ResidualAdapter | None, text: ResidualAdapter | None
    ) -> None:
        super().__init__(trunk, classes)
        self.image_adapter = image
        self.text_adapter = text

    def scores(self, image: Tensor) -> Tensor:
        """See BinNetwork."""
        features, text = self.features(image), self.classes.text
        if self.image_adapter is not None:
            features = self.image_adapter(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if self.text_adapter is not None:
            # Of the text at length 1: the adapter is homogeneous, so that only the result's length has to be set.
            text = F.normalize(self.text_adapter(text).float(), dim=1)
        return self.classes.scores(features, text)


def build_clip_adapter(config: ClipAdapterConfig, size: tuple[int, int]) -> ClipAdapter:
    """Build the model of `config`, for any size."""
    clip = load_clip(config.trunk)
    classes = load_classes(clip, config.trunk.name, config.temperature)
    trunk = trunk_of_clip(clip, config.trunk)
    image = ResidualAdapter(trunk.channels[-1], IMAGE_REDUCTION) if config.image_adapter else None
    text = ResidualAdapter(classes.text.shape[1], TEXT_REDUCTION) if config.text_adapter else None
    return ClipAdapter(trunk, classes, image, text)
