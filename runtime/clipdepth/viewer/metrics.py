"""Counters in Prometheus' text format."""

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from clipdepth import __version__
from clipdepth.pipeline.branch import State
from clipdepth.pipeline.latency import BOUNDS
from clipdepth.viewer.status import Setup, Status

__all__ = ["CONTENT_TYPE_LATEST", "exposition"]

STATES = get_args(State)

Sample = tuple[tuple[str, ...], float]
"""Values of the labels, and the value."""


def exposition(setup: Setup, status: Status, refused: Mapping[str, int]) -> bytes:
    """All metrics; `refused` is how many requests the viewer refused, by reason."""
    registry = CollectorRegistry()
    registry.register(_Metrics(setup, status, refused))
    return generate_latest(registry)


class _Metrics(Collector):
    def __init__(self, setup: Setup, status: Status, refused: Mapping[str, int]) -> None:
        self._setup, self._status, self._refused = setup, status, dict(refused)

    def collect(self) -> Iterator[Metric]:
        """Read the counters as they are now."""
        setup, status = self._setup, self._status
        sources = status.now()["sources"]
        about = {"version": __version__, "engine": setup.engine, "device": setup.device, "precision": setup.precision}
        about["kind"] = setup.kind
        info = GaugeMetricFamily("clipdepth_info", "What runs.", labels=list(about))
        info.add_metric(list(about.values()), 1)
        yield info
        for name, counter, text in (
            ("frames_captured", "captured", "Frames that the source gave."),
            ("frames_processed", "processed", "Frames whose depth was made."),
            ("source_losses", "losses", "Losses of the source, or unreadable images."),
        ):
            yield _counter(name, text, ("source",), [((source["name"],), source[counter]) for source in sources])
        states = [((source["name"], state), source["state"] == state) for source in sources for state in STATES]
        yield _gauge("source_state", "1 for the state that the source is in.", ("source", "state"), states)
        dropped = [((source["name"], stage), n) for source in sources for stage, n in source["dropped"].items()]
        yield _counter(
            "frames_dropped", "Frames that gave way to newer ones before the stage.", ("source", "stage"), dropped
        )
        yield self._latency()
        yield GaugeMetricFamily("clipdepth_viewers", "Who looks now.", status.viewers)
        yield _counter("viewers_lost", "Who stopped reading or was cut off.", (), [((), status.lost)])
        yield _counter("viewer_messages", "Frames sent to viewers.", (), [((), status.sent)])
        refusals = [((reason,), count) for reason, count in self._refused.items()]
        yield _counter("viewer_refused", "Requests that were refused.", ("reason",), refusals)

    def _latency(self) -> Metric:
        family = HistogramMetricFamily("clipdepth_latency_seconds", "How long frames took.", labels=["stage"])
        pipeline = self._status.pipeline
        bounds = [*map(str, BOUNDS), "+Inf"]
        for stage, histogram in (pipeline.times.histograms() if pipeline else {}).items():
            family.add_metric([stage], list(zip(bounds, histogram.counts, strict=True)), histogram.seconds)
        return family


def _counter(name: str, text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    return _summed(CounterMetricFamily(f"clipdepth_{name}", text, labels=labels), samples)


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    return _summed(GaugeMetricFamily(f"clipdepth_{name}", text, labels=labels), samples)


def _summed(family: CounterMetricFamily | GaugeMetricFamily, samples: Iterable[Sample]) -> Metric:
    """The family with the samples; those of the same labels, as of a camera that is given twice, are one, their sum."""
    sums: dict[tuple[str, ...], float] = {}
    for values, value in samples:
        sums[values] = sums.get(values, 0) + value
    for values, value in sums.items():
        family.add_metric(list(values), value)
    return family
