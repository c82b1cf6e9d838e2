"""Whether a model knows where its depth is wrong: sparsification, coverage, reliability."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.confidence import WITHIN, half_width
from clipdepth.bundle.kind import MIN_DEPTH
from clipdepth.errors import DataError
from clipdepth_train.evaluation import Comparison

SHARES = (1.0, 0.9, 0.8, 0.6, 0.4, 0.2)
"""Which shares of the pixels, the surest ones, rel is given of."""
BINS = 10
PIXELS = 5000
"""Of a frame, at most: every so-many-th row and column of what is known."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """Pixels of like confidence."""

    stated: float
    """Their mean confidence."""
    observed: float
    """The share of them whose depth is within 10% of the truth."""
    share: float
    """Of all pixels."""


@dataclass(frozen=True)
class Uncertainty:
    """What confidence is worth, over pixels that count alike whatever frame they are of."""

    frames: int
    pixels: int
    ause: float
    """The area between rel by share of the surest pixels left, and the same where the best ones are left: in rel."""
    coverage: float
    """The share of pixels whose truth lies in the interval of 90%, depth · (1 ± `half_width`)."""
    within: float
    """The share of pixels within 10% of the truth, to compare with the mean confidence."""
    confidence: float
    """The mean confidence."""
    rel: dict[str, float]
    """rel of the surest pixels, by their share: '0.8' without the least sure fifth."""
    best: dict[str, float]
    """The same where the pixels that are really worst are left out: no confidence can do better."""
    reliability: list[Bin]


@dataclass(frozen=True)
class Stated:
    """Pixels of a frame: depth and truth in metres and confidence, (n,) each."""

    depth: NDArray[np.float32]
    truth: NDArray[np.float32]
    confidence: NDArray[np.float32]


def sampled(compared: Comparison) -> Stated:
    """Every so-many-th pixel of a frame that counts as in `depth_metrics`; its answer has to have confidence."""
    assert compared.confidence is not None
    truth, far = compared.truth, compared.max_depth
    step = max(1, round((truth.size / PIXELS) ** 0.5))
    spread = (slice(step // 2, None, step),) * 2
    known = (truth > MIN_DEPTH) & (truth < far)
    counted = (known if compared.region is None else known & compared.region)[spread]
    depth = compared.prediction[spread][counted].clip(MIN_DEPTH, far)
    return Stated(depth, truth[spread][counted], compared.confidence[spread][counted])


def measure_uncertainty(frames: Iterable[Stated]) -> Uncertainty:
    """Measure confidence over frames; raises DataError where no pixel of them is known."""
    found = [frame for frame in frames if len(frame.truth)]
    if not found:
        raise DataError("no pixel of these frames has known depth to measure confidence with; check the dataset")
    depth, truth, confidence = (
        np.concatenate([np.asarray(getattr(frame, name), np.float64) for frame in found])
        for name in ("depth", "truth", "confidence")
    )
    errors, within = np.abs(depth - truth) / truth, np.abs(depth - truth) <= WITHIN * truth
    by_confidence, by_error = _means(errors[np.argsort(-confidence, kind="stable")]), _means(np.sort(errors))
    width = half_width(confidence.astype(np.float32))
    return Uncertainty(
        frames=len(found),
        pixels=len(errors),
        ause=float((by_confidence - by_error).mean()),
        coverage=float((np.abs(depth - truth) <= width * depth).mean()),
        within=float(within.mean()),
        confidence=float(confidence.mean()),
        rel=_at_shares(by_confidence),
        best=_at_shares(by_error),
        reliability=_reliability(confidence, within),
    )


def _means(errors: Floats) -> Floats:
    """The mean of the first 1, 2, … of errors."""
    return np.asarray(np.cumsum(errors) / np.arange(1, len(errors) + 1))


def _at_shares(means: Floats) -> dict[str, float]:
    return {f"{share:g}": float(means[max(1, round(share * len(means))) - 1]) for share in SHARES}


def _reliability(confidence: Floats, within: NDArray[np.bool_]) -> list[Bin]:
    """Bins of as many pixels each, from the least sure to the surest."""
    order = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    return [
        Bin(float(confidence[part].mean()), float(within[part].mean()), len(part) / len(confidence))
        for part in order
        if len(part)
    ]
