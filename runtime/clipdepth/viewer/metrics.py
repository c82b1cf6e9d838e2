"""Counters in Prometheus' text format 0.0.4."""

from collections.abc import Iterable, Mapping

from clipdepth import __version__
from clipdepth.viewer.status import Setup, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
QUANTILES = {"p50": "0.5", "p90": "0.9", "p99": "0.99"}

Sample = tuple[Mapping[str, str], float]
"""Labels and a value."""


def exposition(setup: Setup, status: Status, refused: Mapping[str, int]) -> str:
    """All metrics; `refused` is how many requests the viewer refused, by reason."""
    now = status.now()
    sources, latency = now["sources"], now["latency"]
    about = {"version": __version__, "engine": setup.engine, "device": setup.device, "precision": setup.precision}

    def by_source(counter: str) -> list[Sample]:
        return [({"source": source["name"]}, source[counter]) for source in sources]

    dropped: list[Sample] = [
        ({"source": source["name"], "stage": stage}, frames)
        for source in sources
        for stage, frames in source["dropped"].items()
    ]
    quantiles: list[Sample] = [
        ({"stage": stage, "quantile": quantile}, of[key] / 1000)
        for stage, of in latency.items()
        for key, quantile in QUANTILES.items()
    ]
    means: list[Sample] = [({"stage": stage}, of["mean"] / 1000) for stage, of in latency.items()]
    refusals: list[Sample] = [({"reason": reason}, count) for reason, count in dict(refused).items()]
    families = (
        _family("info", "gauge", "What runs.", [(about, 1)]),
        _family("frames_captured_total", "counter", "Frames that the source gave.", by_source("captured")),
        _family("frames_processed_total", "counter", "Frames whose depth was made.", by_source("processed")),
        _family("frames_dropped_total", "counter", "Frames that gave way to newer ones before the stage.", dropped),
        _family("source_losses_total", "counter", "Losses of the source, or unreadable images.", by_source("losses")),
        _family("latency_seconds", "gauge", "Quantiles over the newest 4096 frames.", quantiles),
        _family("latency_mean_seconds", "gauge", "Means over the newest 4096 frames.", means),
        _family("viewers", "gauge", "Who looks now.", [({}, status.viewers)]),
        _family("viewers_lost_total", "counter", "Who stopped reading or was cut off.", [({}, status.lost)]),
        _family("viewer_messages_total", "counter", "Frames sent to viewers.", [({}, status.sent)]),
        _family("viewer_refused_total", "counter", "Requests that were refused.", refusals),
    )
    return "".join(line + "\n" for family in families for line in family)


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> list[str]:
    name = f"clipdepth_{name}"
    lines = [f"{name}{_labels(labels)} {float(value)!r}" for labels, value in _merged(samples)]
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *lines]


def _merged(samples: Iterable[Sample]) -> list[Sample]:
    """Samples of the same labels, as of a camera that is given twice, as their sum; the format wants one each."""
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    for labels, value in samples:
        key = tuple(labels.items())
        sums[key] = sums.get(key, 0) + value
    return [(dict(key), value) for key, value in sums.items()]


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
