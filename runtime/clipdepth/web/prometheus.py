"""Metrics in Prometheus' text format, from counters that are kept elsewhere."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from clipdepth import __version__
from clipdepth.pipeline.latency import BOUNDS, Histogram

__all__ = ["CONTENT_TYPE_LATEST", "Collector", "Metric", "counter", "exposition", "gauge", "info", "latency"]

Sample = tuple[tuple[str, ...], float]
"""Values of the labels, and the value."""


def exposition(collector: Collector) -> bytes:
    """All metrics of a collector, as they are now."""
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry)


def info(engine: str, device: str, precision: str, kind: str) -> Metric:
    """What runs, as labels of a gauge that is 1."""
    about = {"version": __version__, "engine": engine, "device": device, "precision": precision, "kind": kind}
    return gauge("info", "What runs.", tuple(about), [(tuple(about.values()), 1)])


def counter(name: str, text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    """A counter; samples of the same labels are one, their sum."""
    return _summed(CounterMetricFamily(f"clipdepth_{name}", text, labels=labels), samples)


def gauge(name: str, text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    """A gauge, likewise."""
    return _summed(GaugeMetricFamily(f"clipdepth_{name}", text, labels=labels), samples)


def latency(text: str, stages: Mapping[str, Histogram]) -> Metric:
    """How long stages take."""
    family = HistogramMetricFamily("clipdepth_latency_seconds", text, labels=["stage"])
    bounds = [*map(str, BOUNDS), "+Inf"]
    for stage, histogram in stages.items():
        family.add_metric([stage], list(zip(bounds, histogram.counts, strict=True)), histogram.seconds)
    return family


def _summed(family: CounterMetricFamily | GaugeMetricFamily, samples: Iterable[Sample]) -> Metric:
    """The family with the samples; those of the same labels, as of a camera that is given twice, are one, their sum."""
    sums: dict[tuple[str, ...], float] = {}
    for values, value in samples:
        sums[values] = sums.get(values, 0) + value
    for values, value in sums.items():
        family.add_metric(list(values), value)
    return family
