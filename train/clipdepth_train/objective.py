"""What training makes small: the recipe's loss of a model on a batch."""

import torch
from torch import Tensor, nn

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.errors import UsageError
from clipdepth_train.depth_model import DepthModel, mirrored
from clipdepth_train.losses import (
    bin_loss,
    depth_loss,
    distillation_loss,
    gradient_loss,
    nearest,
    smoothness_loss,
    symmetry_loss,
)
from clipdepth_train.models.network import BinNetwork, expectation
from clipdepth_train.photometric import Cameras, photometric_loss
from clipdepth_train.recipe import LossConfig

Batch = dict[str, Tensor]
"""Tensors of a batch by name.

`frame` (N, H, W, 3) uint8 BGR and `depth` (N, H, W) float32 metres with 0 for unknown; with SAM `segmentation`
(N, H, W, 3) uint8; with a teacher `taught`, (N, H, W) float32, see `RgbdPair`; with a second view its picture `view`
(N, H, W, 3) uint8 BGR, and `camera`, `view_camera` and `pose`, float32, as `Cameras` takes them.
"""


class Objective(nn.Module):
    """A model and its loss in one module, so that whatever wraps a training step wraps all of it.

    `forward` takes a batch to a scalar; `taught` is what the teacher's answers are, where there is one. Raises
    UsageError for a loss that the model has no part for.
    """

    def __init__(self, model: DepthModel, loss: LossConfig, taught: DepthKind = METRIC) -> None:
        super().__init__()
        if loss.bins and not isinstance(model.network, BinNetwork):
            raise UsageError(f"--loss.bins is {loss.bins}, but this model has no bins; set it to 0")
        self.model = model
        self.loss = loss
        self._taught = taught

    def forward(self, batch: Batch) -> Tensor:
        """See the class."""
        image, masks = self.model.image(batch["frame"]), self.model.masks(batch.get("segmentation"))
        native, scores = self._answer(image, masks)
        reflected = None
        if self.model.mirror or self.loss.symmetry:
            reflected = mirrored(self.model.network.native, image, masks)
        with torch.autocast(image.device.type, enabled=False):
            return self._loss(batch, image, native.float(), scores, reflected)

    def _answer(self, image: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor | None]:
        network = self.model.network
        if self.loss.bins and isinstance(network, BinNetwork):
            scores = network.scores(image)
            return expectation(scores, network.centres()), scores
        return network.native(image, masks), None

    def _loss(
        self, batch: Batch, image: Tensor, native: Tensor, scores: Tensor | None, reflected: Tensor | None
    ) -> Tensor:
        """Of the network's own answers to the picture and its mirror image, the latter mirrored back."""
        loss, truth, config, network = native.new_zeros(()), batch["depth"], self.loss, self.model.network
        if reflected is not None:
            reflected = reflected.float()
            if config.symmetry:
                both = (network.at_size(one, image) for one in (native, reflected))
                loss = loss + config.symmetry * symmetry_loss(*both)
            if self.model.mirror:
                native = (native + reflected) / 2
        depth = network.at_size(native, image)
        compared = native if config.native else depth
        if config.kind != "none":
            loss = loss + depth_loss(compared, nearest(truth, compared), config)
        if config.gradient:
            loss = loss + config.gradient * gradient_loss(compared, nearest(truth, compared))
        if scores is not None and isinstance(network, BinNetwork):
            loss = loss + config.bins * bin_loss(scores, network.centres(), truth)
        if config.smoothness:
            loss = loss + config.smoothness * smoothness_loss(compared, _picture(batch["frame"]))
        if config.distillation:
            loss = loss + config.distillation * distillation_loss(depth, batch["taught"], self._taught)
        if config.photometric:
            loss = loss + config.photometric * self._photometric(batch, depth)
        return loss

    def _photometric(self, batch: Batch, depth: Tensor) -> Tensor:
        cameras = Cameras(batch["camera"], batch["view_camera"], batch["pose"])
        picture, view = _picture(batch["frame"]), _picture(batch["view"])
        near, far = self.model.depth_range
        return photometric_loss(picture, view, depth.clamp(near, far), cameras, self.loss.ssim)


def _picture(frame: Tensor) -> Tensor:
    """Frames (N, H, W, 3) uint8 as (N, 3, H, W) float32 from 0 to 1."""
    return frame.permute(0, 3, 1, 2).float() / 255
