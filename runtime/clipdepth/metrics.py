"""The depth metrics of the field, averaged over images as the paper does (section 5.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import DataError

MIN_DEPTH = 0.001
MAX_DEPTH = 10.0


@dataclass(frozen=True)
class DepthMetrics:
    """Errors of predicted depth: of one image, or the mean over images.

    rel is the mean of |y - ŷ| / y with y the ground truth; rmse is in metres; rmse_log uses the natural
    logarithm; log10 is the mean of |log10 y - log10 ŷ| (the paper heads it rmse_log); delta1..3 are the
    shares of pixels with max(y/ŷ, ŷ/y) below 1.25, 1.25² and 1.25³.
    """

    rel: float
    rmse: float
    rmse_log: float
    log10: float
    delta1: float
    delta2: float
    delta3: float


METRIC_NAMES = tuple(field.name for field in fields(DepthMetrics))


def depth_metrics(
    prediction: NDArray[np.float32], truth: NDArray[np.float32], region: NDArray[np.bool_] | None = None
) -> DepthMetrics | None:
    """Measure one image, or return None where it has no valid pixel.

    `prediction` and `truth` are (H, W) float32 metres. A pixel is valid when its truth lies in (0.001, 10)
    and `region`, (H, W) bool, allows it. The prediction is clamped to [0.001, 10]; one that is not finite
    raises DataError.
    """
    valid = (truth > MIN_DEPTH) & (truth < MAX_DEPTH)
    if region is not None:
        valid &= region
    if not valid.any():
        return None
    predicted = prediction[valid].astype(np.float64)
    if not np.isfinite(predicted).all():
        raise DataError("the predicted depth has NaN or infinite values; the model is broken")
    return _errors(np.clip(predicted, MIN_DEPTH, MAX_DEPTH), truth[valid].astype(np.float64))


def _errors(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> DepthMetrics:
    difference = predicted - true
    log_ratio = np.log(predicted / true)
    ratio = np.exp(np.abs(log_ratio))
    return DepthMetrics(
        rel=float(np.mean(np.abs(difference) / true)),
        rmse=float(np.sqrt(np.mean(difference**2))),
        rmse_log=float(np.sqrt(np.mean(log_ratio**2))),
        log10=float(np.mean(np.abs(log_ratio)) / np.log(10)),
        delta1=float(np.mean(ratio < 1.25)),
        delta2=float(np.mean(ratio < 1.25**2)),
        delta3=float(np.mean(ratio < 1.25**3)),
    )


def mean_metrics(images: Sequence[DepthMetrics]) -> DepthMetrics:
    """Average each metric over images; raises DataError for none."""
    if not images:
        raise DataError("no image has a pixel with known depth in the evaluated region; nothing to measure")
    values = {name: float(np.mean([getattr(image, name) for image in images])) for name in METRIC_NAMES}
    return DepthMetrics(**values)
