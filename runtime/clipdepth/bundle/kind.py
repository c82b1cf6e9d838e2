"""What the numbers are that a network answers."""

from typing import Literal

DepthKind = Literal["metric", "relative", "disparity"]
"""What a network's answer is for each pixel.

'metric' is depth along the optical axis in metres. 'relative' is depth up to an unknown scale and shift. 'disparity' is
inverse depth up to an unknown scale and shift, so that a larger value is nearer.
"""
METRIC: DepthKind = "metric"
