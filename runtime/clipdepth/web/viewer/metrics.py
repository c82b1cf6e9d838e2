"""The viewer's metrics."""

from collections.abc import Iterator, Mapping
from typing import get_args

from clipdepth.pipeline.branch import State
from clipdepth.web.prometheus import Collector, Metric, counter, gauge, info, latency
from clipdepth.web.viewer.setup import Setup
from clipdepth.web.viewer.status import Status

STATES = get_args(State)


class ViewerMetrics(Collector):
    """All metrics; `refused` is how many requests the viewer refused, by reason."""

    def __init__(self, setup: Setup, status: Status, refused: Mapping[str, int]) -> None:
        self._setup, self._status, self._refused = setup, status, dict(refused)

    def collect(self) -> Iterator[Metric]:
        """Read the counters as they are now."""
        setup, status = self._setup, self._status
        sources = status.now()["sources"]
        yield info(setup.engine, setup.device, setup.precision, setup.kind)
        for name, key, text in (
            ("frames_captured", "captured", "Frames that the source gave."),
            ("frames_processed", "processed", "Frames whose depth was made."),
            ("source_losses", "losses", "Losses of the source, or unreadable images."),
        ):
            yield counter(name, text, ("source",), [((source["name"],), source[key]) for source in sources])
        states = [((source["name"], state), source["state"] == state) for source in sources for state in STATES]
        yield gauge("source_state", "1 for the state that the source is in.", ("source", "state"), states)
        novel = [((source["name"],), source["novel"]) for source in sources if source["novel"] is not None]
        yield counter("frames_novel", "Frames unlike what the model learned from.", ("source",), novel)
        compared = [(source["name"], source["measured"]) for source in sources if source["measured"]]
        for name, key, text in (
            ("measured_abs_rel", "rel", "Mean of |depth - measured| / measured, of the source's own sensor."),
            ("measured_median_ratio", "median_ratio", "Median of depth / measured, of the source's own sensor."),
        ):
            yield gauge(name, text, ("source",), [((source,), found[key]) for source, found in compared])
        dropped = [((source["name"], stage), n) for source in sources for stage, n in source["dropped"].items()]
        yield counter(
            "frames_dropped", "Frames that gave way to newer ones before the stage.", ("source", "stage"), dropped
        )
        pipeline = status.pipeline
        yield latency("How long frames took.", pipeline.times.histograms() if pipeline else {})
        yield gauge("viewers", "Who looks now.", (), [((), status.viewers)])
        yield counter("viewers_lost", "Who stopped reading or was cut off.", (), [((), status.lost)])
        yield counter("viewer_messages", "Frames sent to viewers.", (), [((), status.sent)])
        refusals = [((reason,), count) for reason, count in self._refused.items()]
        yield counter("viewer_refused", "Requests that were refused.", ("reason",), refusals)
