"""The engines of several bundles in one contest: loaded together, timed in turn, measured on the same frames."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.kind import require_metric
from clipdepth.errors import UsageError
from clipdepth_bench.contender import Contender, Entry, Setup, load_all
from clipdepth_bench.families import engines, pytorch
from clipdepth_bench.measure.accuracy import Accuracy, measure_accuracy
from clipdepth_bench.measure.duration import Duration, Measure
from clipdepth_bench.measure.samples import Samples
from clipdepth_bench.measure.timing import Limits, Timing, interleave
from clipdepth_train.candidate import bundle_frames, bundle_predictor
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdSet, evenly_spread
from clipdepth_train.evaluation import Crop, evaluate
from clipdepth_train.recipe import DataConfig

Name = tuple[str, str]
"""A bundle's, and a contender's key."""


@dataclass(frozen=True)
class Examination:
    """The frames that all are measured on."""

    pairs: RgbdSet
    which: list[int]
    crop: Crop
    sees: dict[str, DataConfig]
    """What each bundle's model sees of a picture, by the bundle's name."""

    def mark(self, bundle: Bundle, contender: Contender, progress: Progress) -> Accuracy:
        """A contender's accuracy."""
        title = f"measuring {bundle.name} {contender.key}"
        indices = progress.track(self.which, description=title)
        predict = bundle_predictor(bundle, contender.engine, contender.precision)
        return measure_accuracy(predict, self.pairs, self.sees[bundle.name], self.crop, indices)


def prepare(bundles: Sequence[Bundle], data: str, crop: Crop, frames: int | None) -> Examination:
    """Open the test frames, all or `frames` of them, evenly spread.

    How depth is stored, and what is too far, is what the first bundle's recipe says, so that the same pixels count for
    all. Raises UsageError where they would not, or the crop does not fit the pictures, and NotMetricError for a bundle
    whose answer is not metric: how it is aligned would decide its place.
    """
    for bundle in bundles:
        require_metric(bundle.manifest.kind, "a comparison of accuracy", bundle.name)
    names = [bundle.name for bundle in bundles]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"two bundles are called {twice[0]}; rename one, or give it once")
    sees = {bundle.name: bundle_frames(bundle)[0] for bundle in bundles}
    if len({seen.picture for seen in sees.values()}) > 1 and crop != "paper":
        cut = next(name for name, seen in sees.items() if seen.picture == "paper")
        raise UsageError(f"{cut} sees the paper's crop only and others the whole picture; compare them by --crop paper")
    first = sees[names[0]]
    sees = {name: replace(seen, max_depth=first.max_depth) for name, seen in sees.items()}
    pairs = open_set(data, "test", first)
    for seen in sees.values():
        # None at all: a crop that does not fit is refused before minutes have passed.
        evaluate(lambda pair: pair.depth, pairs, seen, crop, [])
    which = list(range(len(pairs))) if frames is None else evenly_spread(len(pairs), frames)
    return Examination(pairs, which, crop, sees)


@dataclass(frozen=True)
class Field:
    """All that were loaded: PyTorch eager of the first bundle, which others are compared with, and the engines."""

    reference: Contender
    engines: list[tuple[Bundle, Contender]]

    @property
    def timed(self) -> list[tuple[Name, Contender, Bundle]]:
        """Those with a stopwatch, each with what tells it apart; the reference comes first."""
        first = self.engines[0][0]
        pairs = [(first, self.reference), *self.engines]
        return [(name_of(bundle, each), each, bundle) for bundle, each in pairs if each.stopwatch]

    def time(self, limits: Limits, progress: Callable[[float], None]) -> tuple[Timing, dict[Name, Samples]]:
        """Time them in turn, each with its own bundle's golden frames; the samples are by `name_of`."""
        timed = self.timed
        measures = [own_frames(each.stopwatch, bundle.golden().frames) for _, each, bundle in timed if each.stopwatch]
        timing = interleave(measures, np.zeros((1, 1, 1, 3), np.uint8), limits, progress)
        return timing, dict(zip((name for name, _, _ in timed), timing.samples, strict=True))


def name_of(bundle: Bundle, contender: Contender) -> Name:
    """What tells an engine from the others of all bundles."""
    return bundle.name, contender.key


@contextmanager
def load_field(
    bundles: Sequence[Bundle],
    wanted: Sequence[str],
    threads: int,
    loading: Callable[[str], None],
    device: int | None = None,
) -> Iterator[Field]:
    """Load the `wanted` engines (all, where none is named) with each graph; `loading` hears of each before."""
    loaded: list[Contender] = []
    try:
        first = Setup(bundles[0], None, threads, compile=False)
        reference = load_all(pytorch.entries(first)[:1], loading)[0]
        loaded.append(reference)
        pairs: list[tuple[Bundle, Contender]] = []
        for bundle in bundles:
            found = load_all(_entries(Setup(bundle, None, threads, device=device), wanted), loading)
            loaded += found
            pairs += [(bundle, contender) for contender in found]
        yield Field(reference, pairs)
    finally:
        for contender in loaded:
            contender.close()


def _entries(setup: Setup, wanted: Sequence[str]) -> list[Entry]:
    return [entry for entry in engines.entries(setup) if not wanted or entry.name in wanted]


def own_frames(measure: Measure, own: NDArray[np.uint8]) -> Measure:
    """`measure` of `own`, (N, H, W, 3) uint8, one by one in turn, whatever it is given: sizes differ by bundle."""
    turn = cycle(range(len(own)))

    def measure_own(frames: NDArray[np.uint8]) -> Duration:
        index = next(turn)
        return measure(own[index : index + 1])

    return measure_own
