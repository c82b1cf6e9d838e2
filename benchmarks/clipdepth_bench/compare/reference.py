"""The row that both reports hold the others to: where the machine drifts, its time drifts with theirs."""

from collections.abc import Sequence
from dataclasses import dataclass

from clipdepth.engines import ENGINES
from clipdepth_bench.families import pytorch, pytorch_cuda
from clipdepth_bench.measure.samples import ratios_by_round
from clipdepth_bench.report.record import Report, ReportError, Row

REFERENCE_HELP = "the row that times are divided by, timed in both reports (default: PyTorch eager)"


@dataclass(frozen=True)
class Pair:
    """Two reports, and the key of the row that both hold the others to; made by `pair_reports`."""

    before: Report
    after: Report
    reference: str


def pair_reports(before: Report, after: Report, reference: str | None, names: tuple[str, str]) -> Pair:
    """Pair two reports called `names` by the row `reference`; None for the one that `before` compares with.

    Raises ReportError where a report did not time it, or timed another model by that name.
    """
    key = reference or before.method.reference
    for report, name in zip((before, after), names, strict=True):
        require_time(report, key, name, shared_rows(before, after))
    if not _is_same(before, after, before.row(key)):
        remedy = _remedy(shared_rows(before, after))
        raise ReportError(f"{key} in {names[1]} is of another model or graph than in {names[0]}; {remedy}")
    return Pair(before, after, key)


def require_time(report: Report, key: str, name: str, others: Sequence[str]) -> None:
    """Raise ReportError, which proposes `others`, where the report called `name` has no time of the row `key`."""
    row = report.row(key)
    if row is None or not row.medians_ms:
        raise ReportError(f"{name} has no time of {key}, by which all others are divided; {_remedy(others)}")


def timed_rows(report: Report) -> list[str]:
    """The keys of all that were timed."""
    return [row.key for row in report.rows if row.medians_ms]


def shared_rows(before: Report, after: Report) -> list[str]:
    """The keys of what both timed, and what is the same in both."""
    both = set(timed_rows(before)) & set(timed_rows(after))
    return [row.key for row in before.rows if row.key in both and _is_same(before, after, row)]


def shares_by_round(report: Report, row: Row, reference: str) -> list[float]:
    """The row's median over the reference's, of each round that both took part in.

    Raises ReportError for a damaged report, whose rows have other numbers of rounds.
    """
    divisor = report.row(reference)
    assert divisor
    if len(row.round_medians_ms) != len(divisor.round_medians_ms):
        raise ReportError(f"{row.key} and {reference} have other numbers of rounds; run 'clipdepth bench' again")
    return ratios_by_round(row.round_medians_ms, divisor.round_medians_ms)


def _is_same(before: Report, after: Report, row: Row | None) -> bool:
    """Whether the row runs the same in both: an engine the same graph, PyTorch the same network."""
    assert row
    if row.name in ENGINES:
        return _graphs(before, row.precision) == _graphs(after, row.precision)
    if row.name not in {*pytorch.NAMES, *pytorch_cuda.NAMES}:
        return True  # a peer, whose name tells its size
    if before.graphs.items() & after.graphs.items():
        return True
    return before.network is not None and (before.network, before.input) == (after.network, after.input)


def _graphs(report: Report, precision: str) -> dict[str, str]:
    return {name: sha256 for name, sha256 in report.graphs.items() if name.partition(" ")[0] == precision}


def _remedy(others: Sequence[str]) -> str:
    if others:
        return f"name one that is the same in both by --reference: {', '.join(others)}"
    return "time both again with --run, or with --peers for rows that no bundle changes"
