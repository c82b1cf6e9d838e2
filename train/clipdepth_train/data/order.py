"""In which order an epoch shows the pairs of one set, or of several that are mixed by weight."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from clipdepth_train.data.sample import RgbdSet
from clipdepth_train.data.transforms import pair_seed


@dataclass(frozen=True)
class Share:
    """What one set adds to every epoch."""

    pairs: int
    """How many pairs the set has."""
    window: int
    """How many neighbouring pairs are shuffled together, see `RgbdSet.shuffle_window`."""
    weight: float = 1.0
    """How often an epoch shows each pair, on average."""

    @property
    def shown(self) -> int:
        """Pairs of the set in an epoch: weight × pairs, rounded, at least one."""
        return max(1, round(self.weight * self.pairs))


def share_of(pairs: RgbdSet) -> tuple[Share, ...]:
    """A set by itself."""
    return (Share(len(pairs), pairs.shuffle_window),)


def epoch_length(shares: Sequence[Share]) -> int:
    """Pairs in an epoch of all sets together."""
    return sum(share.shown for share in shares)


def epoch_order(shares: Sequence[Share], seed: int, epoch: int) -> list[int]:
    """The indices of an epoch, drawn from the seed and the epoch.

    Index i is pair i of the sets laid end to end, of `total` pairs together; i + total is the same pair again, for a
    weight above 1. A set of weight w gives all its pairs ⌊w⌋ times and a random choice of them for the rest. Windows of
    neighbouring pairs are shown one after the other, in an order that is drawn, and so are the pairs within each.
    The sets are spread evenly over the epoch, so that a part of it has the shares that the whole has.
    """
    total, first = sum(share.pairs for share in shares), 0
    placed = list[tuple[float, int]]()
    for number, share in enumerate(shares):
        generator = torch.Generator().manual_seed(pair_seed(seed, epoch, -1 - number))
        order = [first + index % share.pairs + index // share.pairs * total for index in _drawn(share, generator)]
        places = torch.arange(len(order)) + torch.rand(len(order), generator=generator, dtype=torch.float64)
        placed += zip((places / len(order)).tolist(), order, strict=True)
        first += share.pairs
    return [index for _, index in sorted(placed)]


def _drawn(share: Share, generator: torch.Generator) -> list[int]:
    """Indices into a set that is repeated without end, copy after copy."""
    copies, order = math.ceil(share.shown / share.pairs), list[int]()
    for copy in range(copies):
        left = share.shown - copy * share.pairs
        kept = None
        if left < share.pairs:
            kept = set(torch.randperm(share.pairs, generator=generator)[:left].tolist())
        shuffled = _shuffled(share, generator)
        order += [index + copy * share.pairs for index in shuffled if kept is None or index in kept]
    return order


def _shuffled(share: Share, generator: torch.Generator) -> list[int]:
    windows = torch.split(torch.arange(share.pairs), share.window)
    shown = [windows[i] for i in torch.randperm(len(windows), generator=generator).tolist()]
    order = [window[torch.randperm(len(window), generator=generator)] for window in shown]
    return [int(index) for index in torch.cat(order)]
