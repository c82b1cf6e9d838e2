"""Measuring a model on a dataset, as the paper does: per image, then averaged."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.metrics import MAX_DEPTH, Align, DepthMetrics, depth_metrics
from clipdepth.camera.letterbox import Letterbox
from clipdepth.errors import DataError
from clipdepth_train.data.crop import EIGEN, PAPER_TEST
from clipdepth_train.data.sample import RgbdPair, RgbdSet
from clipdepth_train.data.transforms import test_pair
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.recipe import DataConfig

Crop = Literal["all", "eigen", "paper"]
"""The pixels that count: all that the model sees, Eigen's crop, or the paper's."""

Predict = Callable[[RgbdPair], NDArray[np.float32]]
"""From a pair, of which it does not look at the depth, to the depth of its frame, (H, W) float32, mostly metres."""


def predictor(model: DepthModel, frames: DataConfig) -> Predict:
    """The model as a function of pictures of any size: fitted into its input, and what was filled left out again."""

    @torch.no_grad()
    def predict(pair: RgbdPair) -> NDArray[np.float32]:
        model.eval()
        height, width = pair.frame.shape[:2]
        box = Letterbox.of(height, width, frames.height, frames.width)
        inputs = [box.picture(np.ascontiguousarray(pair.frame))]
        if pair.segmentation is not None:
            inputs.append(box.segmentation(np.ascontiguousarray(pair.segmentation)))
        depth = model(*(torch.from_numpy(part)[None].to(model.mean.device) for part in inputs))
        return box.depth(depth[0].float().cpu().numpy())

    return predict


@dataclass(frozen=True)
class Comparison:
    """A pair's predicted and true depth, each (H, W) float32, at the picture's own size; the truth is in metres."""

    index: int
    """Of the pair in its set."""
    prediction: NDArray[np.float32]
    truth: NDArray[np.float32]
    """0 where it is unknown."""
    region: NDArray[np.bool_] | None
    """The pixels inside the crop, (H, W) bool; None for all."""

    def metrics(self, align: Align = "none", kind: DepthKind = METRIC) -> DepthMetrics | None:
        """The pair's errors, the prediction being of `kind`; None where no pixel counts."""
        return depth_metrics(self.prediction, self.truth, self.region, align, kind)


def compare(
    predict: Predict, pairs: RgbdSet, frames: DataConfig, crop: Crop, indices: Iterable[int]
) -> Iterator[Comparison]:
    """Predict the pairs of `indices`, one by one.

    Raises UsageError for a crop that the pictures are too small for.
    """
    region = _region(pairs.picture_size, frames, crop)
    for index in indices:
        pair = test_pair(pairs[index], frames)
        yield Comparison(index, predict(pair), pair.depth, region)


def evaluate(
    predict: Predict, pairs: RgbdSet, frames: DataConfig, crop: Crop, indices: Iterable[int], align: Align = "none"
) -> list[DepthMetrics]:
    """Measure `predict` on the pairs of `indices`; pairs without a known pixel are left out.

    Raises UsageError for a crop that the pictures are too small for.
    """
    return list(frame_metrics(compare(predict, pairs, frames, crop, indices), align).values())


def frame_metrics(
    comparisons: Iterable[Comparison], align: Align = "none", kind: DepthKind = METRIC
) -> dict[int, DepthMetrics]:
    """The metrics of each pair by its index; pairs without a known pixel are left out."""
    measured = ((comparison.index, comparison.metrics(align, kind)) for comparison in comparisons)
    return {index: metrics for index, metrics in measured if metrics is not None}


def _region(picture_size: tuple[int, int], frames: DataConfig, crop: Crop) -> NDArray[np.bool_] | None:
    if crop == "all":
        return None
    mask = {"eigen": EIGEN, "paper": PAPER_TEST}[crop].mask(*picture_size)
    return mask if frames.picture == "whole" else PAPER_TEST.of(mask)


def random_depth(seed: int = 0) -> Predict:
    """The predictor that answers any depth from 0 to 10 m for each pixel: the paper's lower bound."""
    rng = np.random.default_rng(seed)
    return lambda pair: rng.uniform(0, MAX_DEPTH, pair.frame.shape[:2]).astype(np.float32)


def constant_median(pairs: RgbdSet, places: int = 60, neighbours: int = 5) -> Predict:
    """The predictor that answers the median depth of training pairs, whatever it sees: what a model has to beat.

    The median is taken over `neighbours` pairs at each of at most `places` places, evenly spread.
    """
    starts = np.linspace(0, max(len(pairs) - neighbours, 0), places).round().astype(int)
    # Neighbours mostly come from one scene, and a scene of `rooms` costs more to open than to look at.
    indices = np.unique(starts[:, None] + np.arange(min(neighbours, len(pairs))))
    # Every eighth row and column: the median of a picture does not need them all.
    known = [depth[depth > 0] for depth in (pairs[int(i)].depth[::8, ::8] for i in indices)]
    if not any(depth.size for depth in known):
        raise DataError(
            "no training frame has known depth, so there is no median to compare with; check its depth files"
        )
    median = np.float32(np.median(np.concatenate(known)))
    return lambda pair: np.full(pair.frame.shape[:2], median, np.float32)
