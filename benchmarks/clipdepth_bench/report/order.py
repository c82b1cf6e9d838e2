"""The order of a report's rows: the fastest first, in plots, tables and on the terminal."""

from clipdepth.pipeline.latency import Latency
from clipdepth_bench.report.record import Report, Row


def timed_rows(report: Report) -> list[tuple[Row, Latency]]:
    """What was timed, the fastest first: what failed or is absent has no time to draw."""
    timed = [(row, row.latency_ms) for row in report.rows if row.latency_ms and row.status in ("passed", "unchecked")]
    return sorted(timed, key=lambda pair: (-(pair[0].speedup.p50 if pair[0].speedup else 0.0), pair[1].p50))


def in_order(report: Report) -> list[Row]:
    """All rows, those that were timed first and in the order of the plots."""
    timed = [row for row, _ in timed_rows(report)]
    return timed + [row for row in report.rows if row not in timed]
