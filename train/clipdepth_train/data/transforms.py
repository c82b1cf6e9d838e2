"""From an RGB-D pair to what the network trains on: joint augmentation of picture and depth."""

import random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as TF

from clipdepth.resize import resize_frame, resize_measured_depth
from clipdepth_train.data.crop import PAPER_TEST, PAPER_TRAIN, require_nyu_size
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.recipe import AugmentConfig, DataConfig


def augmentation(frames: DataConfig, augment: AugmentConfig) -> v2.Compose:
    """Random changes of (picture, depth): tv_tensors Image (3, H, W) uint8 RGB and Mask (H, W) float32 metres.

    Depth is moved by nearest neighbour, and what a rotation moves in from outside is 0, unknown. The result has
    the model's input size.
    """
    cut: list[v2.Transform]
    if frames.picture == "paper":
        cut = [_PaperCrop(), v2.RandomCrop(PAPER_TEST.size), Resize(frames.height, frames.width)]
    else:
        cut = [ZoomCrop(augment.zoom), Resize(frames.height, frames.width)]
    jitter = augment.jitter
    return v2.Compose(
        [
            v2.RandomRotation(augment.rotate, interpolation=v2.InterpolationMode.BILINEAR),
            *cut,
            v2.RandomHorizontalFlip(augment.flip),
            v2.ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter),
        ]
    )


def augment_pair(pair: RgbdPair, transform: v2.Compose, seed: int) -> tuple[Tensor, Tensor]:
    """Augment a pair by `seed` alone: a frame (H, W, 3) uint8 BGR and depth (H, W) float32 metres."""
    image = tv_tensors.Image(np.ascontiguousarray(pair.frame[..., ::-1].transpose(2, 0, 1)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        image, depth = transform(image, tv_tensors.Mask(pair.depth))
    frame = image.as_subclass(Tensor).flip(0).permute(1, 2, 0)
    return frame.contiguous(), depth.as_subclass(Tensor).contiguous()


def test_pair(pair: RgbdPair, frames: DataConfig) -> RgbdPair:
    """The pair as it is evaluated, before its resize to the input size: whole, or the paper's test crop."""
    if frames.picture == "whole":
        return pair
    require_nyu_size(*pair.depth.shape)
    window = np.s_[PAPER_TEST.top : PAPER_TEST.bottom, PAPER_TEST.left : PAPER_TEST.right]
    return RgbdPair(pair.frame[window], pair.depth[window])


class Resize(v2.Transform):  # type: ignore[misc]
    """The project's one resize, on tensors."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Resize an Image by `resize_frame`, a Mask by `resize_measured_depth`."""
        if isinstance(inpt, tv_tensors.Mask):
            return tv_tensors.Mask(resize_measured_depth(inpt.numpy(), *self.size))
        picture = np.ascontiguousarray(inpt.permute(1, 2, 0).numpy())
        return tv_tensors.Image(_channels_first(resize_frame(picture, *self.size)))


class ZoomCrop(v2.Transform):  # type: ignore[misc]
    """Cut a window of 1/z of the picture, z uniform in [1, zoom], and divide depth by z.

    A camera of focal length f·z sees at depth d what a camera of focal length f sees at depth d/z; after the
    resize that follows, the pair is again one of the training camera.
    """

    def __init__(self, zoom: float) -> None:
        super().__init__()
        self.zoom = zoom

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the window and its zoom."""
        height, width = flat_inputs[0].shape[-2:]
        zoom = float(torch.empty(()).uniform_(1, self.zoom))
        h, w = round(height / zoom), round(width / zoom)
        top = int(torch.randint(height - h + 1, ()))
        left = int(torch.randint(width - w + 1, ()))
        return {"window": (top, left, h, w), "zoom": zoom}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Cut, and divide depth."""
        cut = TF.crop(inpt, *params["window"])
        return tv_tensors.Mask(cut / params["zoom"]) if isinstance(inpt, tv_tensors.Mask) else cut


class _PaperCrop(v2.Transform):  # type: ignore[misc]
    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        require_nyu_size(*inpt.shape[-2:])
        return TF.crop(inpt, PAPER_TRAIN.top, PAPER_TRAIN.left, *PAPER_TRAIN.size)


def _channels_first(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def pair_seed(seed: int, epoch: int, index: int) -> int:
    """A seed for one pair in one epoch, whichever process loads it."""
    return random.Random(f"{seed}/{epoch}/{index}").getrandbits(63)
