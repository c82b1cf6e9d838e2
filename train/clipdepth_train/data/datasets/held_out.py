"""Which places are kept for testing where a dataset does not say."""

from collections.abc import Sequence

from clipdepth_train.data.datasets.pair import Pair
from clipdepth_train.data.sample import Split

EVERY = 10
"""Of so many places one is held out."""


def splits_of(pairs: Sequence[Pair]) -> list[Split]:
    """The split of each pair: what its dataset says, or else by the place that it shows.

    Of the places in the order of their names every tenth is held out, beginning with the fifth; of fewer than five the
    last; of a single one the last tenth of its pairs.
    """
    unknown = [index for index, pair in enumerate(pairs) if pair.split is None]
    places = sorted({pairs[index].held_with for index in unknown})
    if len(places) == 1:
        kept = set(unknown[-max(1, len(unknown) // EVERY) :])
    else:
        tested = set(places[EVERY // 2 - 1 :: EVERY] or places[-1:])
        kept = {index for index in unknown if pairs[index].held_with in tested}
    return [pair.split or ("test" if index in kept else "train") for index, pair in enumerate(pairs)]
