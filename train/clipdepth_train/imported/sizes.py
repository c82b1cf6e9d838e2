"""The size of an imported network's input."""

import math

from clipdepth.bundle.manifest import InputSize
from clipdepth.errors import UsageError
from clipdepth_train.imported.families import Family
from clipdepth_train.imported.processor import Preparation


def input_size(asked: InputSize | None, family: Family, prepared: Preparation, named: str) -> InputSize:
    """The size that was asked for, or that the model's processor makes of a picture of 480×640.

    Raises UsageError for one that the network does not take, with the nearest that it does.
    """
    size = asked or InputSize(*(family.fixed or prepared.size))
    multiple = math.lcm(family.multiple, prepared.multiple)
    near = family.fixed or (_nearest(size.height, multiple), _nearest(size.width, multiple))
    if (size.height, size.width) == near:
        return size
    takes = "that size alone" if family.fixed else f"multiples of {multiple}"
    what = f"--size {size.height}x{size.width}" if asked else f"{size.height}x{size.width}, its processor's size,"
    raise UsageError(f"{what} does not fit {named}, which takes {takes}; give --size {near[0]}x{near[1]}")


def _nearest(pixels: int, multiple: int) -> int:
    return max(1, round(pixels / multiple)) * multiple
