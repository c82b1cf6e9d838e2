"""The depth metrics of the field, averaged over images as the paper does (section 5.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC, MIN_DEPTH, DepthKind
from clipdepth.errors import DataError

Align = Literal["none", "median", "lsq"]
"""What is done to predicted depth before it is measured, image by image.

'none' leaves it. 'median' scales it to its true median. 'lsq' fits scale and shift to the true depth by least squares,
of a disparity to the true inverse depth.
"""


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
    prediction: NDArray[np.float32],
    truth: NDArray[np.float32],
    region: NDArray[np.bool_] | None = None,
    align: Align = "none",
    kind: DepthKind = METRIC,
    *,
    max_depth: float,
) -> DepthMetrics | None:
    """Measure one image, or return None where it has no valid pixel.

    `prediction`, of `kind`, and `truth`, metres, are (H, W) float32. A pixel is valid when its truth lies in
    (0.001, `max_depth`) and `region`, (H, W) bool, allows it. The prediction is aligned over the valid pixels, then
    clamped to [0.001, `max_depth`], which may be infinite. Raises DataError for a prediction that is not finite,
    or whose median is not above 0 where it is to be aligned by that, ValueError for an alignment that makes no metres
    of `kind`; see `alignments`.
    """
    if align not in alignments(kind):
        raise ValueError(f"{kind} depth is aligned by {' or '.join(alignments(kind))}, not by {align}")
    valid = counted_pixels(truth, region, max_depth)
    if not valid.any():
        return None
    predicted, true = prediction[valid].astype(np.float64), truth[valid].astype(np.float64)
    if not np.isfinite(predicted).all():
        raise DataError("the predicted depth has NaN or infinite values; the model is broken")
    if align == "median":
        predicted *= median_ratio(predicted, true)
    elif align == "lsq":
        predicted = least_squares(predicted, true, kind, max_depth)
    return _errors(np.clip(predicted, MIN_DEPTH, max_depth), true)


def alignments(kind: DepthKind) -> tuple[Align, ...]:
    """What makes metres of a prediction of `kind`, the usual one first."""
    usual: dict[DepthKind, tuple[Align, ...]] = {
        "metric": ("none", "median", "lsq"),
        "relative": ("lsq", "median"),
        "disparity": ("lsq",),
    }
    return usual[kind]


def least_squares(
    predicted: NDArray[np.float64], true: NDArray[np.float64], kind: DepthKind, max_depth: float
) -> NDArray[np.float64]:
    """The prediction after the scale and shift that bring it closest to the truth, metres, both (N,) float64.

    Of a disparity they bring it closest to the inverse of the truth, and inverse depth beyond `max_depth` metres
    is `max_depth`: the protocol of Ranftl, Lasinger, Hafner, Schindler and Koltun, Towards Robust Monocular Depth
    Estimation: Mixing Datasets for Zero-shot Cross-dataset Transfer, TPAMI 2020, with the closed form of its scale-
    and shift-invariant loss (section 5). A prediction that is the same everywhere gets the mean of the truth.
    """
    target = 1 / true if kind == "disparity" else true
    line = np.stack([predicted, np.ones_like(predicted)], axis=1)
    (scale, shift), *_ = np.linalg.lstsq(line, target, rcond=None)
    fitted = scale * predicted + shift
    return np.asarray(1 / np.maximum(fitted, 1 / max_depth) if kind == "disparity" else fitted, np.float64)


def counted_pixels(truth: NDArray[np.float32], region: NDArray[np.bool_] | None, max_depth: float) -> NDArray[np.bool_]:
    """The valid pixels of `depth_metrics`, (H, W) bool."""
    valid = (truth > MIN_DEPTH) & (truth < max_depth)
    return valid if region is None else valid & region


def median_ratio(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """The median of the true depth over the median of the predicted; raises DataError where that has none above 0."""
    median = float(np.median(predicted))
    if median <= 0:
        raise DataError(f"the predicted depth has a median of {median:g} and cannot be scaled; use '--align lsq'")
    return float(np.median(true)) / median


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
