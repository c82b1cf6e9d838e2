"""A recipe's network behind the frame contract: what is trained, evaluated and exported."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from clipdepth.errors import UsageError
from clipdepth_train.models import build_network
from clipdepth_train.models.confidence import ConfidenceHead, ConfidentNetwork
from clipdepth_train.models.network import DepthNetwork
from clipdepth_train.models.novelty import NoveltyHead
from clipdepth_train.recipe import Recipe, trunk_of, without_download
from clipdepth_train.trunk import trunk_colours

NORMALISATIONS = {
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and deviation of R, G, B, for colours from 0 to 1."""


class DepthModel(nn.Module):
    """Frame in, depth out: the graph of a bundle.

    `forward` takes frames, (N, H, W, 3) uint8 BGR at the model's input size, and gives depth, (N, H, W) float32
    metres; a network with SAM takes its segmentation as well, (N, H, W, 3) uint8. Colour order and normalisation are
    inside; out of training, depth is clamped to the model's range. With `mirror` set, the depth of the picture and
    of its mirror image are averaged.
    """

    mean: Tensor
    std: Tensor
    bgr_to_rgb: Tensor

    def __init__(self, network: DepthNetwork, recipe: Recipe) -> None:
        super().__init__()
        mean, std = _colours(network, recipe)
        self.network = network
        self.depth_range = recipe.depth_range
        self.mirror = recipe.mirror
        self.register_buffer("bgr_to_rgb", torch.tensor([2, 1, 0]), persistent=False)
        # Parts of the recipe and not of what is learned, so no checkpoint holds them.
        self.register_buffer("mean", 255 * torch.tensor(mean)[None, :, None, None], persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std)[None, :, None, None], persistent=False)

    def forward(self, frame: Tensor, segmentation: Tensor | None = None) -> Tensor:
        """See the class."""
        image, masks = self.image(frame), self.masks(segmentation)
        depth = self.network(image, masks)
        if self.mirror:
            depth = (depth + mirrored(self.network, image, masks)) / 2
        return depth if self.training else depth.clamp(*self.depth_range)

    @property
    def is_confident(self) -> bool:
        """Whether the network says how sure it is, see `with_confidence`."""
        return isinstance(self.network, ConfidentNetwork) and self.network.confidence is not None

    def add_confidence(self) -> tuple[ConfidenceHead, NoveltyHead]:
        """Give the network heads for confidence and novelty, still to be fitted.

        Raises UsageError where it cannot have them.
        """
        if not isinstance(self.network, ConfidentNetwork):
            kind = type(self.network).__name__
            raise UsageError(f"a {kind} network cannot say how sure it is; train 'edge' or 'space'")
        self.network.confidence = ConfidenceHead(self.network.width).to(self.mean.device)
        self.network.novelty = NoveltyHead(self.network.early_width).to(self.mean.device)
        return self.network.confidence, self.network.novelty

    def with_confidence(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Depth in one pass, as `forward` gives it out of training, confidence and novelty, see `Answer`."""
        assert isinstance(self.network, ConfidentNetwork)
        depth, confidence, novelty = self.network.with_confidence(self.image(frame))
        return depth.clamp(*self.depth_range), confidence, novelty

    def image(self, frame: Tensor) -> Tensor:
        """Frames as the network takes them: (N, 3, H, W) float32, RGB, normalised."""
        # Cast before the permutation: TensorRT takes uint8 only into a Cast. Contiguous, since torch 2.15 corrupts
        # the heap when it trains a MobileCLIP on the CPU from channels-last memory.
        rgb = frame.float().index_select(3, self.bgr_to_rgb).permute(0, 3, 1, 2).contiguous()
        return (rgb - self.mean) / self.std

    def masks(self, segmentation: Tensor | None) -> Tensor | None:
        """SAM's painted masks as the network takes them: (N, 3, H, W) float32 from 0 to 1."""
        if not self.network.needs_segmentation:
            return None
        if segmentation is None:
            raise UsageError("this model needs SAM's segmentation of each picture; name one with --frames.segments")
        return segmentation.float().permute(0, 3, 1, 2).contiguous() / 255

    def deployable(self) -> "DepthModel":
        """A copy as it is deployed: on the CPU, one pass, its trunk's training-time branches folded together."""
        deployed = copy.deepcopy(self).eval().cpu()
        deployed.mirror = False
        if deployed.network.trunk is not None:
            deployed.network.trunk.reparameterize()
        return deployed.requires_grad_(False)  # the folded weights are new ones

    def at_size(self, height: int, width: int) -> "DepthModel":
        """A copy for frames of that height and width alone, with what depends only on these computed."""
        fixed = copy.deepcopy(self)
        if fixed.network.trunk is not None:
            fixed.network.trunk.fix_size(height, width)
        return fixed

    def parameter_groups(self, learning_rate: float, trunk_learning_rate: float) -> list[dict[str, Any]]:
        """The optimizer's groups: what is trained of the network, and of its trunk at a rate of its own."""
        trunk = {id(p) for p in self.network.trunk.parameters()} if self.network.trunk is not None else set()
        trained = [p for p in self.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if id(p) not in trunk], "lr": learning_rate},
            {"params": [p for p in trained if id(p) in trunk], "lr": trunk_learning_rate},
        ]
        return [group for group in groups if group["params"]]

    def parameter_count(self) -> int:
        """The number of weights, batch-norm statistics not counted."""
        return sum(p.numel() for p in self.parameters())

    def flops(self, height: int, width: int) -> int:
        """The cost of one frame, 2 per multiply-add, without mirroring."""
        device = self.mean.device
        mirror, training = self.mirror, self.training
        fused = torch.backends.mha.get_fastpath_enabled()
        self.mirror = False
        self.eval()
        torch.backends.mha.set_fastpath_enabled(False)  # the counter does not see into a fused attention
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            frame = torch.zeros(1, height, width, 3, dtype=torch.uint8, device=device)
            self(frame, frame if self.network.needs_segmentation else None)
        torch.backends.mha.set_fastpath_enabled(fused)
        self.mirror = mirror
        self.train(training)
        return int(counter.get_total_flops())


class ConfidentModel(nn.Module):
    """The graph of a bundle that says how sure it is: `DepthModel.with_confidence` as a module."""

    def __init__(self, model: DepthModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        return self.model.with_confidence(frame)

    def at_size(self, height: int, width: int) -> "ConfidentModel":
        """See DepthModel."""
        return ConfidentModel(self.model.at_size(height, width))


def _colours(network: DepthNetwork, recipe: Recipe) -> tuple[Any, Any]:
    """Mean and deviation of R, G and B, from 0 to 1; a network without a trunk takes colours as they are."""
    if recipe.normalisation != "trunk":
        return NORMALISATIONS[recipe.normalisation]
    return NORMALISATIONS["unit"] if network.trunk is None else network.trunk.colours


def mirrored(answer: Callable[[Tensor, Tensor | None], Tensor], image: Tensor, masks: Tensor | None) -> Tensor:
    """The depth (N, h, w) that a network, or its `native`, answers in the mirror, mirrored back."""
    return answer(image.flip(3), None if masks is None else masks.flip(3)).flip(2)


def build_model(recipe: Recipe, pretrained: bool = True) -> DepthModel:
    """Build a recipe's model, its new weights drawn from its seed.

    With `pretrained` false no weights of a trunk are loaded: for a model that is filled from a checkpoint. Raises
    UsageError or WeightsError as `load_trunk` does.
    """
    torch.manual_seed(recipe.seed)
    size = recipe.frames.height, recipe.frames.width
    network = build_network(recipe.model if pretrained else without_download(recipe.model), size)
    trunk = trunk_of(recipe.model)
    if network.trunk is not None and trunk is not None:
        network.trunk.colours = trunk_colours(trunk)  # those of the recipe's weights, also where none are loaded
    if recipe.optim.trunk_learning_rate == 0 and network.trunk is not None:
        network.trunk.freeze()
    return DepthModel(network, recipe)
