"""What a benchmark found: rows for people and for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from clipdepth.agreement import Agreement
from clipdepth.latency import Latency, summarise_latency
from clipdepth_bench.contender import Contender
from clipdepth_bench.timing import Ratio, Samples, ratio_to

SCHEMA = 1


@dataclass(frozen=True)
class Row:
    """One engine: how fast, how much faster than PyTorch eager, how far from PyTorch's depth."""

    name: str
    precision: str
    device: str
    latency_ms: Latency | None
    """None where it was not timed."""
    speedup: Ratio | None
    """Against PyTorch eager in the same run; None where that is not there."""
    agreement: Agreement | None
    """None where there is nothing to compare."""
    verdict: str
    """passed, FAILED, or why it was not checked or not timed."""


def make_rows(contenders: Sequence[Contender], samples: dict[str, Samples], reference: str) -> list[Row]:
    """A row for each contender; `samples` are by `Contender.key`, those of `reference` are what others are held to."""
    return [_row(contender, samples.get(contender.key), samples.get(reference)) for contender in contenders]


def _row(contender: Contender, samples: Samples | None, reference: Samples | None) -> Row:
    timed = samples is not None and not contender.failed
    return Row(
        name=contender.name,
        precision=contender.precision,
        device=contender.device,
        latency_ms=summarise_latency(samples.all) if samples is not None and timed else None,
        speedup=ratio_to(reference, samples) if samples is not None and reference is not None and timed else None,
        agreement=contender.agreement,
        verdict=_verdict(contender),
    )


def _verdict(contender: Contender) -> str:
    if contender.agreement is None:
        return contender.note
    return "passed" if contender.agreement else "FAILED: depth differs from PyTorch's"


def as_json(rows: Sequence[Row], bundle: str, graph_sha256: dict[str, str], machine: dict[str, Any]) -> dict[str, Any]:
    """The report as JSON values; latency in milliseconds."""
    return {
        "schema": SCHEMA,
        "bundle": bundle,
        "graphs": graph_sha256,
        "environment": machine,
        "rows": [asdict(row) for row in rows],
    }


def as_table(rows: Sequence[Row], title: str) -> Table:
    """The report for a terminal."""
    table = Table(
        title=escape(title), title_justify="left", caption="ms a frame; ×eager: median of rounds (p10 to p90)"
    )
    for heading in ("engine", "device"):
        table.add_column(heading)
    for heading in ("p50", "p90", "p99", "max", "n", "×eager", "Δ depth"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for row in rows:
        # "pip install 'clipdepth[cpu]'" is no markup.
        table.add_row(f"{row.name} {row.precision}", row.device, *_numbers(row), escape(row.verdict))
    return table


def _numbers(row: Row) -> list[str]:
    difference = _difference(row.agreement)
    if row.latency_ms is None:
        return [""] * 6 + [difference]
    latency = row.latency_ms
    times = [f"{value:.1f}" for value in (latency.p50, latency.p90, latency.p99, latency.max)]
    speed = "" if row.speedup is None else f"{row.speedup.p50:.2f} ({row.speedup.p10:.2f} to {row.speedup.p90:.2f})"
    return [*times, str(latency.n), speed, difference]


def _difference(agreement: Agreement | None) -> str:
    if agreement is None:
        return ""
    return f"{agreement.mean:.1e}" if agreement.finite else "NaN"
