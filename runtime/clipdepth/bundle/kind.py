"""What the numbers are that a network answers."""

from typing import Literal

from clipdepth.errors import NotMetricError

DepthKind = Literal["metric", "relative", "disparity"]
"""What a network's answer is for each pixel.

'metric' is depth along the optical axis in metres. 'relative' is depth up to an unknown scale and shift. 'disparity' is
inverse depth up to an unknown scale and shift, so that a larger value is nearer.
"""
METRIC: DepthKind = "metric"
MIN_DEPTH = 0.001
"""Metres, below which no depth is measured."""
MEANINGS: dict[DepthKind, str] = {
    "metric": "depth in metres",
    "relative": "relative depth, up to an unknown scale and shift",
    "disparity": "relative inverse depth (larger is nearer), up to an unknown scale and shift",
}
"""Each kind for people."""
REMEDY = "measure two or more points with 'clipdepth calibrate' and give its file (--calibration, Camera.from_file)"
"""What makes metres of an answer that has none."""


def require_metric(kind: DepthKind, what: str, whose: str) -> None:
    """Raise NotMetricError where `kind` is not metric: `what` needs metres, and `whose` answer has none."""
    if kind != METRIC:
        raise NotMetricError(f"{what} needs metres, and {whose} answers {MEANINGS[kind]}; {REMEDY}")
