"""Measuring a model on a dataset, as the paper does: per image, then averaged."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import InputSize
from clipdepth.bundle.metrics import Align, DepthMetrics, depth_metrics
from clipdepth.camera.letterbox import fit
from clipdepth.errors import DataError, UsageError
from clipdepth_train.data.crop import EIGEN, PAPER_TEST
from clipdepth_train.data.sample import RgbdPair, RgbdSet, camera_of_pair
from clipdepth_train.data.transforms import test_pair
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.recipe import DataConfig

LOG = logging.getLogger(__name__)

Crop = Literal["all", "eigen", "paper"]
"""The pixels that count: all that the model sees, Eigen's crop, or the paper's."""

Predict = Callable[[RgbdPair], NDArray[np.float32]]
"""From a pair, of which it does not look at the depth, to the depth of its frame, (H, W) float32, mostly metres."""


AnswerTo = Callable[[RgbdPair], Answer]
"""The same with confidence, (H, W) float32, and novelty, a number, where the model has them."""


def predictor(model: DepthModel, frames: DataConfig, focal: float | None = None) -> Predict:
    """The model as a function of pictures of any size: fitted into its input, and what was filled left out again.

    A picture takes the one of the recipe's sizes whose shape is nearest, as on a device. `focal` is the training
    camera's focal length in pixels of the input; depth of another camera's picture is multiplied by the ratio of the
    two. Where either is not known depth is what the network answers.
    """
    answer = answerer(model, frames, focal)
    return lambda pair: answer(pair).depth


def answerer(model: DepthModel, frames: DataConfig, focal: float | None = None) -> AnswerTo:
    """The same with confidence, of one pass even where depth is the mean of two; see `predictor`."""
    sizes = [InputSize(*size) for size in frames.sizes]

    @torch.no_grad()
    def answer(pair: RgbdPair) -> Answer:
        model.eval()
        height, width = pair.frame.shape[:2]
        box = fit(height, width, sizes)
        inputs = [box.picture(pair.frame)]
        if pair.segmentation is not None:
            inputs.append(box.segmentation(pair.segmentation))
        tensors = [torch.from_numpy(part)[None].to(model.mean.device) for part in inputs]
        confidence, novelty = None, None
        if model.is_confident:
            depth, sure, unlike = model.with_confidence(tensors[0])
            novelty = unlike[0].cpu().numpy()
            confidence = box.depth(sure[0].float().cpu().numpy())
        if model.mirror or not model.is_confident:
            depth = model(*tensors)
        found = box.depth(depth[0].float().cpu().numpy())
        if focal is not None and pair.intrinsics is not None:
            found = np.asarray(found * np.float32(pair.intrinsics.focal * box.scale / focal), np.float32)
        return Answer(found, confidence, novelty)

    return answer


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
    max_depth: float
    """Metres, from which on truth does not count and to which the prediction is clamped."""
    confidence: NDArray[np.float32] | None = None
    """Of the prediction, (H, W) float32 from 0 to 1; None where nothing says it."""

    def metrics(self, align: Align = "none", kind: DepthKind = METRIC) -> DepthMetrics | None:
        """The pair's errors, the prediction being of `kind`; None where no pixel counts."""
        return depth_metrics(self.prediction, self.truth, self.region, align, kind, max_depth=self.max_depth)


def compare(
    predict: Predict, pairs: RgbdSet, frames: DataConfig, crop: Crop, indices: Iterable[int]
) -> Iterator[Comparison]:
    """Predict the pairs of `indices`, one by one, each with its camera; what counts as too far is `frames.max_depth`.

    Pictures of another size than the set's first are measured whole where the crop is not for them, and a warning says
    so. Raises UsageError for a crop that is not for the first.
    """
    return compare_answers(lambda pair: Answer(predict(pair)), pairs, frames, crop, indices)


def compare_answers(
    answer: AnswerTo, pairs: RgbdSet, frames: DataConfig, crop: Crop, indices: Iterable[int]
) -> Iterator[Comparison]:
    """The same with confidence, where the answers have it."""
    regions = {pairs.picture_size: _region(pairs.picture_size, frames, crop)}
    for index in indices:
        whole = pairs[index]
        pair = test_pair(replace(whole, intrinsics=camera_of_pair(whole, pairs)), frames)
        height, width = whole.frame.shape[:2]
        if (height, width) not in regions:
            regions[height, width] = _region_or_all((height, width), frames, crop)
        found = answer(pair)
        yield Comparison(index, found.depth, pair.depth, regions[height, width], frames.max_depth, found.confidence)


def evaluate(
    predict: Predict, pairs: RgbdSet, frames: DataConfig, crop: Crop, indices: Iterable[int], align: Align = "none"
) -> list[DepthMetrics]:
    """Measure `predict` on the pairs of `indices`; pairs without a known pixel are left out.

    Raises UsageError as `compare` does.
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


def _region_or_all(picture_size: tuple[int, int], frames: DataConfig, crop: Crop) -> NDArray[np.bool_] | None:
    try:
        return _region(picture_size, frames, crop)
    except UsageError:
        height, width = picture_size
        LOG.warning("the %s crop is not for pictures of %d×%d: they are measured whole", crop, width, height)
        return None


def random_depth(max_depth: float, seed: int = 0) -> Predict:
    """The predictor that answers any depth from 0 to `max_depth` metres for each pixel: the paper's lower bound."""
    rng = np.random.default_rng(seed)
    return lambda pair: rng.uniform(0, max_depth, pair.frame.shape[:2]).astype(np.float32)


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
