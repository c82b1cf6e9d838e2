"""From an RGB-D pair to what the network trains on: joint augmentation of picture and depth."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as TF

from clipdepth.camera.letterbox import Letterbox
from clipdepth_train.data.camera import Camera, Segmentation
from clipdepth_train.data.crop import PAPER_TEST, PAPER_TRAIN
from clipdepth_train.data.sample import RgbdPair, View
from clipdepth_train.recipe import AugmentConfig, DataConfig, ViewConfig


def augmentation(
    frames: DataConfig, augment: AugmentConfig, camera: Camera, size: tuple[int, int] | None = None
) -> v2.Compose:
    """Random changes of (picture, depth): tv_tensors Image (3, H, W) uint8 RGB and Mask (H, W) float32 metres.

    `camera` is that of the pictures. Depth is moved by nearest neighbour, and what a rotation moves in from outside
    is 0, unknown. What a teacher answers is a second Mask, moved alike: a zoom divides its metres, and changes the
    scale of numbers that have none. The result has the input `size`, height and width, the model's first one where
    none is given.
    """
    reference = (frames.height, frames.width)
    paper = frames.picture == "paper"
    cut: list[v2.Transform] = [_PaperCrop(), v2.RandomCrop(PAPER_TEST.size)] if paper else []
    windows = replace(augment, zoom=1.0, shrink=1.0, shapes=0.0) if paper else augment
    jitter = augment.jitter
    return v2.Compose(
        [
            Rotate(augment.rotate),
            *([Tilt(augment.tilt, camera.matrix.double().numpy())] if augment.tilt else []),
            *cut,
            Window(size or reference, reference, windows),
            v2.RandomHorizontalFlip(augment.flip),
            v2.ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter),
            *([Colours(augment.tint, augment.gamma)] if augment.tint or augment.gamma else []),
            *([Sensor(augment.sensor)] if augment.sensor else []),
        ]
    )


def augment_pair(pair: RgbdPair, transform: v2.Compose, seed: int) -> dict[str, Tensor]:
    """Augment a pair by `seed` alone: a batch's tensors of one pair, see `Batch`."""
    return _batch_of(_augmented([image_of(pair.frame), *_masks(pair)], transform, seed))


def augment_views(
    pair: RgbdPair, camera: Camera, neighbour: Callable[[bool], View], transform: v2.Compose, seed: int
) -> dict[str, Tensor]:
    """Augment a pair and one of its neighbours alike; which one of the two is drawn from the seed."""
    view = neighbour(bool(random.Random(seed).getrandbits(1)))
    *parts, camera, second = _augmented(
        [image_of(pair.frame), *_masks(pair), camera, image_of(view.frame)], transform, seed
    )
    pose = torch.from_numpy(view.pose).float()
    # A zoom makes everything nearer, the second camera included.
    pose[:3, 3] /= camera.zoom
    return {
        **_batch_of(parts),
        "view": frame_of(second),
        "camera": camera.matrix,
        "view_camera": camera.matrix,
        "pose": pose,
    }


def augment_warped(
    pair: RgbdPair, camera: Camera, warp: ViewConfig, transform: v2.Compose, seed: int
) -> dict[str, Tensor]:
    """Augment a pair, and turn, shift and mirror the result into its second view (section 4.4 of the paper)."""
    *parts, camera = _augmented([image_of(pair.frame), *_masks(pair), camera], transform, seed)
    batch = _batch_of(parts)
    view, matrix = warped(batch["frame"].numpy(), warp, random.Random(seed))
    return {
        **batch,
        "view": torch.from_numpy(view),
        "camera": camera.matrix,
        "view_camera": torch.from_numpy(matrix).float() @ camera.matrix,
        "pose": torch.eye(4),
    }


def warped(
    frame: NDArray[np.uint8], warp: ViewConfig, rng: random.Random
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A frame (H, W, 3) turned about its centre, shifted and maybe mirrored, and the (3, 3) matrix of its pixels' way.

    Where the warp shows what the frame does not, it is black.
    """
    height, width = frame.shape[:2]
    angle = rng.uniform(-warp.rotate, warp.rotate)
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    matrix[:2, 2] += [rng.uniform(-warp.shift, warp.shift) for _ in range(2)]
    if rng.random() < warp.flip:
        matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
    return np.asarray(cv2.warpAffine(frame, matrix[:2], (width, height)), np.uint8), matrix


def image_of(frame: NDArray[np.uint8]) -> tv_tensors.Image:
    """A frame (H, W, 3) BGR as torchvision's Image, (3, H, W) RGB."""
    return tv_tensors.Image(_channels_first(np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)))


def frame_of(image: Tensor) -> Tensor:
    """The inverse of `image_of`."""
    return image.as_subclass(Tensor).flip(0).permute(1, 2, 0).contiguous()


def _masks(pair: RgbdPair) -> list[Tensor]:
    masks: list[Tensor] = [tv_tensors.Mask(pair.depth)]
    if pair.taught is not None:
        masks.append(tv_tensors.Mask(pair.taught))
    return masks if pair.segmentation is None else [*masks, Segmentation(_channels_first(pair.segmentation))]


def _augmented(parts: list[Tensor], transform: v2.Compose, seed: int) -> list[Any]:
    # Not torch.manual_seed, which seeds every kind of device too, and takes longer for it than a small resize.
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        augmented: list[Any] = transform(parts)
    finally:
        torch.set_rng_state(state)
    return augmented


def _batch_of(parts: list[Any]) -> dict[str, Tensor]:
    image, depth, *others = parts
    batch = {"frame": frame_of(image), "depth": depth.as_subclass(Tensor).contiguous()}
    for part in others:
        if isinstance(part, Segmentation):
            batch["segmentation"] = part.as_subclass(Tensor).permute(1, 2, 0).contiguous()
        else:
            batch["taught"] = part.as_subclass(Tensor).contiguous()
    return batch


def test_pair(pair: RgbdPair, frames: DataConfig) -> RgbdPair:
    """The pair as it is evaluated, before its resize to the input size: whole, or the paper's test crop."""
    if frames.picture == "whole":
        return pair
    return pair.cropped(PAPER_TEST)


class Rotate(v2.Transform):  # type: ignore[misc]
    """Turn a picture about its centre by up to so many degrees: an Image bilinearly, all else by nearest neighbour.

    By OpenCV, which takes a tenth of torchvision's time for a picture of 640×480.
    """

    def __init__(self, degrees: float) -> None:
        super().__init__()
        self.degrees = degrees

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the angle, counter-clockwise."""
        return {"angle": float(torch.empty(()).uniform_(-self.degrees, self.degrees))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Turn; what comes in from outside is 0."""
        angle = params["angle"]
        if isinstance(inpt, Camera):
            return TF.rotate(inpt, angle)
        if not angle:
            return inpt
        height, width = inpt.shape[-2:]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
        if isinstance(inpt, Segmentation | tv_tensors.Image):
            method = cv2.INTER_LINEAR if isinstance(inpt, tv_tensors.Image) else cv2.INTER_NEAREST
            turned = cv2.warpAffine(_channels_last(inpt), matrix, (width, height), flags=method)
            return type(inpt)(_channels_first(np.asarray(turned, np.uint8)))
        return tv_tensors.Mask(cv2.warpAffine(inpt.numpy(), matrix, (width, height), flags=cv2.INTER_NEAREST))


class Tilt(v2.Transform):  # type: ignore[misc]
    """Turn the camera up or down and left or right, each by up to so many degrees, about its own centre.

    `matrix` (3, 3) takes a point (x, y, z) before the camera to (u·z, v·z, z). A turn R moves pixels by K·R·K⁻¹,
    whatever their depth; the pixel of ray r, of length 1 along z, then has its old depth over (Rᵀr)z. The picture
    is reflected at its border; depth is 0 beyond it.
    """

    def __init__(self, degrees: float, matrix: NDArray[np.float64]) -> None:
        super().__init__()
        self.degrees, self.matrix = degrees, matrix

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw both angles."""
        up, left = torch.empty(2).uniform_(-self.degrees, self.degrees).tolist()
        turn = cv2.Rodrigues(np.radians([up, 0.0, 0.0]))[0] @ cv2.Rodrigues(np.radians([0.0, left, 0.0]))[0]
        return {"turn": turn, "homography": self.matrix @ turn @ np.linalg.inv(self.matrix)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Turn; a Camera then takes the same points to where they are seen now."""
        homography = params["homography"]
        if isinstance(inpt, Camera):
            return inpt.moved(homography.tolist(), *inpt.picture_size)
        height, width = inpt.shape[-2:]
        if isinstance(inpt, tv_tensors.Image):
            seen = cv2.warpPerspective(
                _channels_last(inpt), homography, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
            )
            return tv_tensors.Image(_channels_first(np.asarray(seen, np.uint8)))
        if isinstance(inpt, Segmentation):
            moved = cv2.warpPerspective(_channels_last(inpt), homography, (width, height), flags=cv2.INTER_NEAREST)
            return Segmentation(_channels_first(np.asarray(moved, np.uint8)))
        moved = cv2.warpPerspective(inpt.numpy(), homography, (width, height), flags=cv2.INTER_NEAREST)
        across, down, rest = (params["turn"].T @ np.linalg.inv(self.matrix))[2].astype(np.float32)
        length = (
            across * np.arange(width, dtype=np.float32) + (down * np.arange(height, dtype=np.float32) + rest)[:, None]
        )
        return tv_tensors.Mask(moved / length)


class Colours(v2.Transform):  # type: ignore[misc]
    """What cameras' processors do to colours: another white balance, another tone curve."""

    def __init__(self, tint: float, gamma: float) -> None:
        super().__init__()
        self.tint, self.gamma = tint, gamma

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw a factor for each colour, and the power."""
        gains = 1 + torch.empty(3).uniform_(-self.tint, self.tint)
        return {"gains": gains, "power": float(torch.empty(()).uniform_(-self.gamma, self.gamma).exp())}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Change an Image, nothing else."""
        if not isinstance(inpt, tv_tensors.Image):
            return inpt
        levels = (torch.arange(256) / 255) ** params["power"] * 255
        curves = (params["gains"][:, None] * levels).round().clamp(0, 255).to(torch.uint8)
        picture = cv2.LUT(_channels_last(inpt), np.ascontiguousarray(curves.T.numpy())[None])
        return tv_tensors.Image(_channels_first(np.asarray(picture, np.uint8)))


class Sensor(v2.Transform):  # type: ignore[misc]
    """What small cameras do to a picture: blur, and noise of the sensor; each picture with a chance `share`."""

    BLUR, NOISE = 1.5, 10.0
    """The largest deviation of the blur, pixels, and of the noise, levels of 255."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw how much, and the noise's seed."""
        chosen = float(torch.rand(())) < self.share
        blur, noise = (torch.rand(2) * torch.tensor([self.BLUR, self.NOISE]) * chosen).tolist()
        return {"blur": blur, "noise": noise, "seed": int(torch.randint(1 << 31, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Change an Image, nothing else."""
        if not isinstance(inpt, tv_tensors.Image) or not params["noise"]:
            return inpt
        picture = cv2.GaussianBlur(_channels_last(inpt), (0, 0), max(params["blur"], 0.1)).astype(np.float32)
        rng = np.random.default_rng(params["seed"])
        picture += params["noise"] * rng.standard_normal(picture.shape, np.float32)
        return tv_tensors.Image(_channels_first(np.clip(np.rint(picture), 0, 255).astype(np.uint8)))


class Window(v2.Transform):  # type: ignore[misc]
    """What a camera of another shape or focal length would show, fitted into the model's input by a `Letterbox`.

    A picture has the chance `shapes` of being cut to another aspect, between upright and lying 16:9. Otherwise it is
    whole in an input of the `reference` size, and cut to the input's own aspect in another: a frame takes the size
    whose shape is nearest to its own, so that no other picture is ever shown there. Its zoom is
    z = 1 + (zoom - 1)·u² with u uniform in [0, 1], or, for one in four where `shrink` is below 1, uniform in
    [shrink, 1]: above 1 the window is 1/z of that, below 1 it becomes z of its size in the input, filled around.

    Depth is divided by the ratio of the scale at which the window is seen and that at which the whole picture is, at
    the `reference` size: a camera of focal length f·r sees at depth d what one of focal length f sees at depth d/r. So
    the pair is again one of the training camera.
    """

    SHRUNK = 0.25
    """The share of pictures that are shrunk."""
    ASPECT = 16 / 9
    """The widest."""

    def __init__(self, size: tuple[int, int], reference: tuple[int, int], augment: AugmentConfig) -> None:
        super().__init__()
        self.size, self.reference = size, reference
        self.zoom, self.shrink, self.shapes = augment.zoom, augment.shrink, augment.shapes

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the window, its place in the input, and by what depth is divided."""
        height, width = flat_inputs[0].shape[-2:]
        zoom, (rows, columns) = self._zoom(), self._shape(height, width)
        h, w = (max(1, round(side / max(zoom, 1.0))) for side in (rows, columns))
        top = int(torch.randint(height - h + 1, ()))
        left = int(torch.randint(width - w + 1, ()))
        box = Letterbox.of(h, w, *self.size, share=min(zoom, 1.0))
        whole = Letterbox.of(height, width, *self.reference)
        return {"window": (top, left, h, w), "box": box, "ratio": box.scale / whole.scale}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Cut, fit, and divide depth."""
        box, ratio = params["box"], params["ratio"]
        cut = TF.crop(inpt, *params["window"])
        if isinstance(inpt, Camera):
            return cut.fitted(box).zoomed(ratio)
        if isinstance(inpt, Segmentation):
            return Segmentation(_channels_first(box.segmentation(_channels_last(cut))))
        if isinstance(inpt, tv_tensors.Mask):
            return tv_tensors.Mask(box.measured(cut.numpy()) / np.float32(ratio))
        return tv_tensors.Image(_channels_first(box.picture(_channels_last(cut))))

    def _zoom(self) -> float:
        if self.shrink < 1 and float(torch.rand(())) < self.SHRUNK:
            return 1 - (1 - self.shrink) * float(torch.rand(()))
        # Squared, since a model that sees zoomed pictures above all answers too near for all others.
        return 1 + (self.zoom - 1) * float(torch.rand(()) ** 2)

    def _shape(self, height: int, width: int) -> tuple[float, float]:
        """The largest height and width of the drawn aspect in the picture."""
        if self.shapes and float(torch.rand(())) < self.shapes:
            aspect = self.ASPECT ** float(torch.empty(()).uniform_(-1, 1))
        elif self.size != self.reference:
            aspect = self.size[1] / self.size[0]
        else:
            return height, width
        return min(height, width / aspect), min(width, height * aspect)


class _PaperCrop(v2.Transform):  # type: ignore[misc]
    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        crop = PAPER_TRAIN.within(*(inpt.picture_size if isinstance(inpt, Camera) else inpt.shape[-2:]))
        return TF.crop(inpt, crop.top, crop.left, *crop.size)


def _channels_last(picture: Tensor) -> NDArray[np.uint8]:
    return np.ascontiguousarray(picture.permute(1, 2, 0).numpy())


def _channels_first(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    turned: NDArray[np.uint8] = np.ascontiguousarray(picture).transpose(2, 0, 1)
    return turned  # no copy: OpenCV's transforms take them back


def pair_seed(seed: int, epoch: int, index: int) -> int:
    """A seed for one pair in one epoch, whichever process loads it."""
    return random.Random(f"{seed}/{epoch}/{index}").getrandbits(63)
