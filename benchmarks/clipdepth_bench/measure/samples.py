"""What timing gives of a contender, round by round, and its ratio to another's."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from clipdepth.pipeline.latency import Latency, summarise_latency
from clipdepth_bench.measure.duration import Duration
from clipdepth_bench.measure.interval import is_precise


@dataclass
class Samples:
    """The frames of one contender that were timed, a list a round; empty where it sat out."""

    rounds: list[list[Duration]] = field(default_factory=list)

    @property
    def all(self) -> list[float]:
        """Every sample of every round, seconds."""
        return [sample.total for round_ in self.rounds for sample in round_]

    @property
    def medians(self) -> list[float | None]:
        """The median of each round, seconds, None where it sat out. Rounds differ more than the samples of one do,
        so that they and not the samples say how sure a median is."""
        return [float(np.median([s.total for s in round_])) if round_ else None for round_ in self.rounds]

    @property
    def latency(self) -> Latency:
        """Of every sample, from the host's memory to it; see `summarise_rounds`. Raises ValueError for none."""
        return summarise_rounds([[sample.total for sample in round_] for round_ in self.rounds])

    @property
    def without_transfers(self) -> Latency | None:
        """The same without transfers; None where they cannot be told apart."""
        rounds = [[sample.compute for sample in round_ if sample.compute is not None] for round_ in self.rounds]
        return summarise_rounds(rounds) if any(rounds) else None

    def is_precise(self, within: float) -> bool:
        """See `interval.is_precise`, of the rounds' medians."""
        return is_precise([median for median in self.medians if median is not None], within)


@dataclass(frozen=True)
class Ratio:
    """How many times as long the reference takes: the median over rounds, and the 10th and 90th percentile."""

    p50: float
    p10: float
    p90: float

    def __str__(self) -> str:
        return f"{ratio_text(self.p50)} ({ratio_text(self.p10)} to {ratio_text(self.p90)})"


def ratio_text(value: float) -> str:
    """Two decimals; a third below a tenth, and none from a hundred on."""
    return f"{value:.{3 if value < 0.1 else 2 if value < 100 else 0}f}"


def ratio_to(reference: Samples, samples: Samples) -> Ratio | None:
    """How much faster `samples` are than `reference` in the rounds that both took part in: above 1 is faster."""
    ratios = ratios_by_round(reference.medians, samples.medians)
    if not ratios:
        return None
    p10, p50, p90 = (float(p) for p in np.percentile(ratios, (10, 50, 90)))
    return Ratio(p50, p10, p90)


def ratios_by_round(times: Sequence[float | None], reference: Sequence[float | None]) -> list[float]:
    """`times` / `reference`, the medians of the same rounds, of those that both took part in."""
    pairs = zip(times, reference, strict=True)
    return [time / other for time, other in pairs if time is not None and other is not None]


def summarise_rounds(rounds: Sequence[Sequence[float]]) -> Latency:
    """Summarise durations in seconds, a list a round: every sample counts.

    p50 is the median of the rounds' medians, of which `median_interval` is the interval, so that it lies within;
    everything else is of all samples together. Raises ValueError for none.
    """
    summary = summarise_latency([sample for round_ in rounds for sample in round_])
    return replace(summary, p50=float(np.median([1000 * np.median(round_) for round_ in rounds if round_])))
