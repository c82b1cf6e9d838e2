"""Whether a camera can be, for a picture of its size."""

import math
from collections.abc import Sequence

from clipdepth_train.data.checking.findings import Findings
from clipdepth_train.data.lists import is_possible

WIDEST, NARROWEST = 150.0, 5.0
"""Degrees across the longer side: beyond these a focal length is a mistake, of pixels for millimetres say."""
SQUARE = 0.01
"""By how much fx and fy of one camera may differ: as much as measuring them does."""


def field_of_view(width: int, height: int, fx: float, fy: float) -> float:
    """Degrees across the longer side, for focal lengths above 0, pixels."""
    return 2 * math.degrees(math.atan(max(width / fx, height / fy) / 2))


def check_camera(numbers: Sequence[float], size: tuple[int, int], where: str, findings: Findings) -> None:
    """Look at what a line says of a camera, see `NamedPair.numbers`, for a picture of (height, width) pixels."""
    if not numbers:
        return
    fx, fy = numbers[0], numbers[1 if len(numbers) > 1 else 0]
    remedy = "state the focal length in pixels of this picture"
    if not is_possible(numbers):
        findings.add("focal length that cannot be", f"{where} ({fx:g}, {fy:g})", remedy)
        return
    height, width = size
    degrees = field_of_view(width, height, fx, fy)
    if not NARROWEST <= degrees <= WIDEST:
        findings.add("focal length that cannot be", f"{where} ({degrees:.0f}° of view)", remedy)
    if abs(fx / fy - 1) > SQUARE:
        about = "training takes each direction's own focal length where the line states both"
        findings.add("pixels that are not square", f"{where} (fx {fx:g}, fy {fy:g})", about, is_fault=False)
    if len(numbers) > 2 and not (0 <= numbers[2] < width and 0 <= numbers[3] < height):
        findings.add(
            "principal point outside the picture", f"{where} ({numbers[2]:g}, {numbers[3]:g})", "correct cx and cy"
        )
