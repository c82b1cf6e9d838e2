"""What the heads for confidence and novelty are fitted to: a network's features, and its depth's relative errors."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from clipdepth.bundle.kind import MIN_DEPTH
from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.letterbox import fit
from clipdepth.errors import DataError
from clipdepth_train.data.sample import RgbdPair, RgbdSet, camera_of_pair
from clipdepth_train.data.transforms import test_pair
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.models.confidence import ConfidentNetwork
from clipdepth_train.recipe import DataConfig

PIXELS = 256
"""Pixels of a picture that are drawn, at most: neighbours tell the same."""


@dataclass(frozen=True)
class Errors:
    """Pixels of many pictures: `features` (n, C), the same's means over each one's picture, and `errors`, (n,) float32.

    An error is |d - t| / t, of depth d and the truth t. `pictures`, (m, C'), are the means of each picture's early
    features.
    """

    features: Tensor
    means: Tensor
    errors: Tensor
    pictures: Tensor


@torch.no_grad()
def measure_errors(
    model: DepthModel, pairs: RgbdSet, indices: Iterable[int], frames: DataConfig, focal: float | None = None
) -> Errors:
    """Draw pixels of the pairs of `indices` and measure the model's depth there, the same ones each time.

    `focal` is the training camera's, see `predictor`. Raises DataError where no pixel has known depth.
    """
    model.eval()
    rng = np.random.default_rng(0)
    found = [_of_pair(model, _as_evaluated(pairs, index, frames), frames, focal, rng) for index in indices]
    if not any(len(of_pair.errors) for of_pair in found):
        raise DataError("no pixel of these frames has known depth to fit confidence to; check the dataset's depth")
    return Errors(**{part.name: torch.cat([getattr(each, part.name) for each in found]) for part in fields(Errors)})


def _as_evaluated(pairs: RgbdSet, index: int, frames: DataConfig) -> RgbdPair:
    pair = pairs[index]
    return test_pair(replace(pair, intrinsics=camera_of_pair(pair, pairs)), frames)


def _of_pair(
    model: DepthModel, pair: RgbdPair, frames: DataConfig, focal: float | None, rng: np.random.Generator
) -> Errors:
    network = model.network
    assert isinstance(network, ConfidentNetwork)
    height, width = pair.depth.shape
    box = fit(height, width, [InputSize(*size) for size in frames.sizes])
    picture = torch.from_numpy(np.ascontiguousarray(box.picture(pair.frame)))[None].to(model.mean.device)
    image = model.image(picture)
    joined, early = network.features(image)
    answered = network.at_size(network.expected(network.head.scores(joined)), image).clamp(*model.depth_range)
    # The picture's pixels in the middle of each pixel of the features.
    rows, columns = (_centres(few, many) for few, many in zip(joined.shape[2:], box.picture_size, strict=True))
    depth = answered[0].cpu().numpy()[np.ix_(rows, columns)]
    if focal is not None and pair.intrinsics is not None:
        depth = depth * np.float32(pair.intrinsics.focal * box.scale / focal)
    truth = box.measured(pair.depth)[np.ix_(rows, columns)]
    known = np.flatnonzero((truth > MIN_DEPTH) & (truth < frames.max_depth))
    drawn = rng.permutation(known)[:PIXELS]
    errors = np.abs(depth - truth).ravel()[drawn] / truth.ravel()[drawn]
    features = joined[0].flatten(1)[:, torch.from_numpy(drawn)].T.float().cpu()
    means = joined[0].float().mean(dim=(1, 2)).cpu().expand(len(drawn), -1)
    picture = early.float().mean(dim=(2, 3)).cpu()
    return Errors(features, means, torch.from_numpy(errors.astype(np.float32)), picture)


def _centres(few: int, many: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return ((np.arange(few) + 0.5) * many / few).astype(np.intp)
