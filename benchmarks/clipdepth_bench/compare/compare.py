"""Two reports side by side: what became faster beside a row that both have, and whether that is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clipdepth.bundle.record import Record
from clipdepth.files.foreign import shown
from clipdepth_bench.compare.reference import Pair, shares_by_round
from clipdepth_bench.measure.interval import ratio_interval
from clipdepth_bench.report.record import Report

_VARYING = ("time", "load_average", "cpu_mhz")
_MACHINE = ("cpu", "usable_cores", "threads", "gpus")


@dataclass(frozen=True)
class Change:
    """A row that both reports timed: how its time changed, in times of the reference in the same rounds."""

    key: str
    before: float
    """The median over rounds of its time over the reference's; in that of `after` likewise."""
    after: float
    interval: tuple[float, float] | None
    """95% interval of after / before; None for fewer than six rounds in either."""

    @property
    def ratio(self) -> float:
        """after / before: above 1 is slower."""
        return self.after / self.before

    @property
    def verdict(self) -> str:
        """faster, slower, or why neither."""
        if self.interval is None:
            return "too few rounds to tell"
        if self.interval[0] > 1:
            return "slower"
        return "faster" if self.interval[1] < 1 else "no difference at 95%"

    def is_slower_by(self, share: float) -> bool:
        """Whether its ratio is above 1 + `share` and no chance at 95%; too few rounds excuse nothing."""
        return self.ratio > 1 + share and self.verdict in ("slower", "too few rounds to tell")


def compare_reports(pair: Pair) -> list[Change]:
    """A change for each row that both timed, the reference left out, in the rounds that the reference shares.

    A machine that is slower in one of the two runs is so for the reference too, and changes nothing.
    """
    both = [(row.key, row, new) for row in pair.before.rows if (new := pair.after.row(row.key))]
    shares = {
        key: (shares_by_round(pair.before, old, pair.reference), shares_by_round(pair.after, new, pair.reference))
        for key, old, new in both
        if key != pair.reference and old.medians_ms and new.medians_ms
    }
    return [_change(key, old, new) for key, (old, new) in shares.items() if old and new]


def _change(key: str, before: Sequence[float], after: Sequence[float]) -> Change:
    return Change(key, median(before), median(after), ratio_interval(after, before))


def lost_rows(before: Report, after: Report) -> list[str]:
    """What `before` timed and `after` did not, with the reason."""
    rows = [(row.key, after.row(row.key)) for row in before.rows if row.latency_ms]
    why = {key: "is not there" if row is None else row.verdict for key, row in rows if not (row and row.latency_ms)}
    return [f"{key} was timed before, and now: {reason}" for key, reason in why.items()]


def environment_differences(before: Report, after: Report) -> list[str]:
    """Lines 'what: before → after', graphs included; the time and the load are left out."""
    old, new = (
        {**_flat(r.environment), **{f"graph {k}": v[:12] for k, v in r.graphs.items()}} for r in (before, after)
    )
    names = [name for name in {**old, **new} if name.partition(" ")[0] not in _VARYING]
    return [f"{name}: {old.get(name)} → {new.get(name)}" for name in names if old.get(name) != new.get(name)]


def _flat(record: Record) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        found |= {f"{name} {key}": v for key, v in value.items()} if isinstance(value, dict) else {name: value}
    return found


def is_same_machine(before: Report, after: Report) -> bool:
    """Whether CPU, cores, threads and GPUs are the same: on another machine the reference may gain what rows do not."""
    old, new = before.environment, after.environment
    return all(getattr(old, name) == getattr(new, name) for name in _MACHINE)


def print_comparison(pair: Pair, console: Console) -> None:
    """Print the table, what was lost, and what differs around it."""
    before, after = pair.before, pair.after
    title = f"time of a frame / {shown(pair.reference)}'s in the same rounds, medians"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("engine")
    for heading in ("before", "after", "after / before", "95%"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for change in compare_reports(pair):
        table.add_row(*_cells(change))
    console.print(table)
    _print_lines(lost_rows(before, after), console)
    _print_lines(environment_differences(before, after), console)
    if not is_same_machine(before, after):
        console.print("another machine or other threads: what all are divided by may gain or lose more than others")


def _print_lines(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        console.print(escape(shown(line)), highlight=False, soft_wrap=True)


def _cells(change: Change) -> list[str]:
    interval = "" if change.interval is None else f"{change.interval[0]:.3f} to {change.interval[1]:.3f}"
    times = (f"{change.before:.3g}", f"{change.after:.3g}", f"{change.ratio:.3f}")
    return [escape(shown(change.key)), *times, interval, change.verdict]
