import dataclasses

import pytest

from clipdepth.pipeline.latency import LatencyRing, summarise_latency


def test_percentiles_of_one_to_hundred_milliseconds() -> None:
    latency = summarise_latency([ms / 1000 for ms in range(100, 0, -1)])
    assert latency.n == 100
    assert latency.mean == pytest.approx(50.5)
    # Linear interpolation: percentile q of 1..100 is 1 + 99 q / 100.
    assert latency.p50 == pytest.approx(50.5)
    assert latency.p90 == pytest.approx(90.1)
    assert latency.p99 == pytest.approx(99.01)
    assert latency.max == pytest.approx(100)


def test_the_slow_first_sample_counts() -> None:
    latency = summarise_latency([5.0, 0.001, 0.001])
    assert latency.max == 5000
    assert latency.mean == pytest.approx(5002 / 3)
    assert latency.p50 == pytest.approx(1)


def test_one_sample_is_every_percentile() -> None:
    assert dataclasses.astuple(summarise_latency([0.25])) == (1, 250, 250, 250, 250, 250)


def test_no_samples_are_no_summary() -> None:
    with pytest.raises(ValueError, match="no durations"):
        summarise_latency([])


def test_a_ring_keeps_the_newest() -> None:
    ring = LatencyRing(3)
    assert ring.summary() is None
    for ms in (1000, 1, 2, 3):
        ring.add(ms / 1000)
    assert ring.summary() == summarise_latency([0.001, 0.002, 0.003])
