"""DepthCLIP: zero-shot depth as a distance classification (section 3.3 of the paper, equations 1 to 4)."""

import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth.errors import UsageError
from clipdepth_train.clip import load_clip, text_features
from clipdepth_train.models.configs import CLASS_DEPTHS, DepthClipConfig
from clipdepth_train.models.network import BinNetwork, expectation
from clipdepth_train.trunk import Trunk, trunk_of_clip

PROMPT = "This object is {}"
CLASSES = ("giant", "extremely close", "close", "not in distance", "a little remote", "far", "unseen")


class DistanceClasses(nn.Module):
    """From image features to depth by their similarity to the text features of distance classes.

    `text` is (K, C) float32; `depths` are K metres. Image features have a multiple of C channels, of which every
    (channels / C)-th is compared, as the authors' code does by nearest interpolation. Here the picked channels are
    brought to length 1; `DepthClip` does that before it picks.
    """

    text: Tensor
    depths: Tensor

    def __init__(self, text: Tensor, depths: Tensor, temperature: float) -> None:
        super().__init__()
        self.register_buffer("text", F.normalize(text, dim=1))
        self.register_buffer("depths", depths)
        self.temperature = temperature

    def scores(self, features: Tensor, text: Tensor) -> Tensor:
        """Features (N, C·s, h, w) and text features of length 1 (K, C) to logits (N, K, h, w) (equation 3)."""
        return self.logits(F.normalize(self.picked(features).float(), dim=1), text)

    def picked(self, features: Tensor) -> Tensor:
        """The channels that are compared, (N, C, h, w), of features (N, C·s, h, w)."""
        return features[:, :: features.shape[1] // self.text.shape[1]]

    def logits(self, image: Tensor, text: Tensor) -> Tensor:
        """Picked and normalised features (N, C, h, w) and text features (K, C) to logits (N, K, h, w)."""
        # A product and a sum, and no matrix product, which mixed precision would round to three digits.
        similarity = (image[:, None] * text[None, :, :, None, None]).sum(dim=2)
        return similarity / self.temperature

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C·s, h, w) to depth (N, h, w) in metres (equations 3 and 4)."""
        return expectation(self.scores(features, self.text), self.depths)


class DepthClip(BinNetwork):
    """A frozen CLIP trunk and its distance classes, nothing to train; depth is made at stride 32.

    All channels together are brought to length 1, and every second of RN50's is compared, as in the code of Zhang et
    al. 2022 and of the paper: the similarities are about 0.7 of a cosine.
    """

    aligned = True

    def __init__(self, trunk: Trunk, classes: DistanceClasses) -> None:
        super().__init__(trunk)
        if trunk.channels[-1] % classes.text.shape[1]:
            raise UsageError(
                f"the trunk's {trunk.channels[-1]} channels are no multiple of the text's {classes.text.shape[1]}"
            )
        self.classes = classes
        trunk.freeze()

    def centres(self) -> Tensor:
        """See BinNetwork."""
        return self.classes.depths

    def scores(self, image: Tensor) -> Tensor:
        """See BinNetwork."""
        features = F.normalize(self.features(image).float(), dim=1)
        return self.classes.logits(self.classes.picked(features), self.classes.text)

    def features(self, image: Tensor) -> Tensor:
        """The trunk's last features, (N, C, h, w)."""
        assert self.trunk is not None
        features: Tensor = self.trunk(image)[-1]
        return features


def load_classes(clip: nn.Module, name: str, temperature: float) -> DistanceClasses:
    """The paper's seven classes for a CLIP model; its text tower runs once, here."""
    text = text_features(clip, name, [PROMPT.format(c) for c in CLASSES])
    return DistanceClasses(text, text.new_tensor(CLASS_DEPTHS), temperature)


def build_depthclip(config: DepthClipConfig, size: tuple[int, int]) -> DepthClip:
    """Build the model of `config`, for any size."""
    clip = load_clip(config.trunk)
    classes = load_classes(clip, config.trunk.name, config.temperature)
    return DepthClip(trunk_of_clip(clip, config.trunk), classes)
