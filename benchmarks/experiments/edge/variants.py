"""Parts of `edge` that were tried and not kept, as models of their own: heads, decoders and queries."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth_train.clip import load_clip, text_features
from clipdepth_train.models import MODELS, EdgeConfig, ModelEntry
from clipdepth_train.models.decoder import BinHead, convolution
from clipdepth_train.models.edge import Edge, build_edge

PROMPT = "a photo of something {:.1f} metres away"
"""What the bins' text queries say."""


@dataclass(frozen=True)
class VariantConfig(EdgeConfig):
    """`edge` with other parts."""

    head: Literal["learned", "fixed", "adaptive", "log-depth", "mixed", "text"] = "learned"
    """Bins that are learned (as in `edge`), fixed, or each image's own; the log of depth outright; a 3×3 convolution
    before the scores; scores as cosines with CLIP's text features of each bin's depth."""
    decoder: Literal["full", "depthwise"] = "full"
    """The pyramid's 3×3 convolutions, or depthwise ones of 5×5 with one of 1×1."""


class FixedHead(BinHead):
    """Bins equal in log depth for good."""

    def __init__(self, config: VariantConfig) -> None:
        super().__init__(config.width, config.bins, *config.depth_range)
        self.log_widths.requires_grad_(False)


class MixedHead(BinHead):
    """A 3×3 convolution before the scores, as `edge` once had."""

    def __init__(self, config: VariantConfig) -> None:
        super().__init__(config.width, config.bins, *config.depth_range)
        self.mix = convolution(config.width, config.width, 3)

    def scores(self, x: Tensor) -> Tensor:
        """See BinHead."""
        return super().scores(self.mix(x))


class TextHead(BinHead):
    """The cosine of projected features with CLIP's text features of each bin's depth, times a learned factor."""

    def __init__(self, config: VariantConfig) -> None:
        super().__init__(config.width, config.bins, *config.depth_range)
        prompts = [PROMPT.format(float(centre)) for centre in self.centres().detach()]
        features = text_features(load_clip(config.trunk), config.trunk.name, prompts)
        self.queries = nn.Buffer(F.normalize(features, dim=1))
        self.score = nn.Conv2d(config.width, features.shape[1], 1)
        self.log_factor = nn.Parameter(torch.tensor(math.log(10.0)))

    def scores(self, x: Tensor) -> Tensor:
        """See BinHead."""
        projected = F.normalize(self.score(x), dim=1)
        return self.log_factor.exp() * torch.einsum("nchw,kc->nkhw", projected, self.queries)


class AdaptiveEdge(Edge):
    """Bins whose widths each image has of its own, from the mean of the trunk's last features (AdaBins)."""

    def __init__(self, edge: Edge, config: VariantConfig) -> None:
        super().__init__(edge.trunk, edge.shrink, edge.detail, edge.pyramid, edge.head)  # type: ignore[arg-type]
        assert self.trunk is not None
        self.widths = nn.Linear(self.trunk.channels[-1], config.bins)
        nn.init.zeros_(self.widths.weight)
        self.seen: Tensor | None = None
        self.trunk.register_forward_hook(self._remember)

    def _remember(self, trunk: nn.Module, image: object, features: tuple[Tensor, ...]) -> None:
        self.seen = features[-1]

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """See DepthNetwork."""
        scores = self.scores(image)
        assert self.seen is not None
        near, far = self.head.min_depth, self.head.max_depth
        widths = (far - near) * (self.head.log_widths + self.widths(self.seen.mean((2, 3)))).softmax(dim=1)
        centres = near + widths.cumsum(dim=1) - widths / 2
        depth: Tensor = (scores.float().softmax(dim=1) * centres[:, :, None, None]).sum(dim=1)
        return depth


class LogDepthEdge(Edge):
    """The log of depth outright, within the range."""

    def __init__(self, edge: Edge, config: VariantConfig) -> None:
        super().__init__(edge.trunk, edge.shrink, edge.detail, edge.pyramid, edge.head)  # type: ignore[arg-type]
        self.answer = nn.Conv2d(config.width, 1, 1)
        self.near, self.far = (math.log(end) for end in config.depth_range)

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """See DepthNetwork."""
        answer: Tensor = self.answer(self.joined(image))[:, 0].float()
        return (self.near + (self.far - self.near) * answer.sigmoid()).exp()


def depthwise(width: int) -> nn.Sequential:
    """A depthwise convolution of 5×5 and one of 1×1, each with batch norm, ReLU at the end."""
    first = nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False)
    return nn.Sequential(first, nn.BatchNorm2d(width), *convolution(width, width, 1))


def build_variant(config: VariantConfig, size: tuple[int, int]) -> Edge:
    """Build the model of `config`."""
    edge = build_edge(config, size)
    if config.decoder == "depthwise":
        edge.pyramid.smooth = nn.ModuleList(depthwise(config.width) for _ in edge.pyramid.smooth)
    heads = {"fixed": FixedHead, "mixed": MixedHead, "text": TextHead}
    if config.head in heads:
        edge.head = heads[config.head](config)
    if config.head == "adaptive":
        return AdaptiveEdge(edge, config)
    return LogDepthEdge(edge, config) if config.head == "log-depth" else edge


MODELS["edge-variant"] = ModelEntry(VariantConfig, __name__, "build_variant")
