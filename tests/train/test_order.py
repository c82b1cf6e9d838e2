"""The order of an epoch over several sets: shares by weight, the same for a seed and an epoch."""

from collections import Counter
from itertools import pairwise

import pytest

from clipdepth_train.data.order import Share, epoch_length, epoch_order

MIXED = (Share(60, 60), Share(40, 40, 0.5), Share(30, 30, 2.5))
"""Epochs of 60, 20 and 75 pairs; pairs 0 to 59, 60 to 99 and 100 to 129, and from 130 on again."""


def counted(epoch: int = 0, seed: int = 0) -> Counter[int]:
    return Counter(index % 130 for index in epoch_order(MIXED, seed, epoch))


def test_an_epoch_takes_each_set_by_its_weight() -> None:
    assert epoch_length(MIXED) == 155
    for epoch in range(3):
        shown = counted(epoch)
        assert [sum(shown[i] for i in part) for part in (range(60), range(60, 100), range(100, 130))] == [60, 20, 75]
        assert all(shown[i] == 1 for i in range(60))
        assert all(shown[i] <= 1 for i in range(60, 100))
        assert {shown[i] for i in range(100, 130)} == {2, 3}


def test_no_index_comes_twice_so_that_copies_are_augmented_differently() -> None:
    order = epoch_order(MIXED, 0, 0)
    assert len(set(order)) == len(order) == 155


def test_what_a_small_weight_leaves_out_comes_in_another_epoch() -> None:
    seen = {index for epoch in range(12) for index in counted(epoch)}
    assert seen == set(range(130))


def test_the_sets_are_spread_over_the_epoch() -> None:
    order = epoch_order(MIXED, 0, 0)
    for start in range(0, 155, 31):
        first = sum(index % 130 < 60 for index in order[start : start + 31])
        assert 10 <= first <= 14, "of 12"


def test_an_order_depends_on_seed_and_epoch_alone() -> None:
    assert epoch_order(MIXED, 3, 4) == epoch_order(MIXED, 3, 4)
    assert epoch_order(MIXED, 3, 4) != epoch_order(MIXED, 3, 5)
    assert epoch_order(MIXED, 3, 4) != epoch_order(MIXED, 4, 4)


def test_windows_stay_together_in_a_mixture() -> None:
    shares = (Share(60, 60), Share(40, 10))
    windows = [(index - 60) // 10 for index in epoch_order(shares, 0, 0) if index >= 60]
    assert len(windows) == 40
    assert sum(a != b for a, b in pairwise(windows)) == 3


@pytest.mark.parametrize(("pairs", "weight", "shown"), [(3, 0.1, 1), (10, 0.25, 2), (10, 0.26, 3), (7, 3.0, 21)])
def test_weights_are_rounded_to_pairs(pairs: int, weight: float, shown: int) -> None:
    share = (Share(pairs, pairs, weight),)
    assert epoch_length(share) == len(epoch_order(share, 0, 0)) == shown
