"""What the service counts, and its metrics."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clipdepth.pipeline.latency import LatencyRing
from clipdepth.web.prometheus import Collector, Metric, counter, gauge, info, latency


@dataclass(frozen=True)
class Served:
    """What stays the same while a service runs."""

    engine: str
    device: str
    precision: str
    kind: str


class Counts:
    """Counted in the event loop alone; only the rings of durations are for several threads."""

    def __init__(self) -> None:
        self.under_way = 0
        """Requests that are read or wait for depth."""
        self.answered: Counter[str] = Counter()
        """By the form of the answer."""
        self.failed = 0
        """Requests that the engine did not answer."""
        self.batches: Counter[int] = Counter()
        """Pictures, by how many were in their batch."""
        self.stages: defaultdict[str, LatencyRing] = defaultdict(LatencyRing)


class ServiceMetrics(Collector):
    """All metrics; `refused` is how many requests were refused, by reason."""

    def __init__(self, served: Served, counts: Counts, refused: Mapping[str, int]) -> None:
        self._served, self._counts, self._refused = served, counts, dict(refused)

    def collect(self) -> Iterator[Metric]:
        """Read the counters as they are now."""
        served, counts = self._served, self._counts
        yield info(served.engine, served.device, served.precision, served.kind)
        answered = [((form,), number) for form, number in counts.answered.items()]
        yield counter("requests", "Pictures whose depth was sent.", ("form",), answered)
        yield counter("requests_failed", "Pictures that the engine did not answer.", (), [((), counts.failed)])
        yield gauge("requests_under_way", "Pictures that are read or wait.", (), [((), counts.under_way)])
        batches = [((str(size),), number) for size, number in counts.batches.items()]
        yield counter("pictures_in_batches", "Pictures, by how many the engine took at once.", ("batch",), batches)
        yield latency("How long requests took.", {name: ring.histogram() for name, ring in [*counts.stages.items()]})
        refusals = [((reason,), number) for reason, number in self._refused.items()]
        yield counter("service_refused", "Requests that were refused.", ("reason",), refusals)
