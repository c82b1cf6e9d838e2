"""Which picture goes with which depth, by the time they were taken."""

from collections.abc import Sequence

import numpy as np


def associate(pictures: Sequence[float], depths: Sequence[float], within: float) -> list[tuple[int, int]]:
    """Pair times in seconds, in any order, that differ by less than `within`: indices into each, by picture.

    As TUM's associate.py does: the closest two first, and each at most once.
    """
    order = np.argsort(depths)
    times = np.asarray(depths, np.float64)[order]
    near = [
        (abs(time - times[other]), index, int(order[other]))
        for index, time in enumerate(pictures)
        for other in range(*np.searchsorted(times, (time - within, time + within)))
        if abs(time - times[other]) < within
    ]
    partner = dict[int, int]()
    taken = set[int]()
    for _, index, other in sorted(near):
        if index not in partner and other not in taken:
            partner[index] = other
            taken.add(other)
    return sorted(partner.items())
