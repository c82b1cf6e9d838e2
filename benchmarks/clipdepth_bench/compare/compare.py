"""Two reports side by side: what became faster, and whether that is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clipdepth.bundle.record import Record
from clipdepth.files.foreign import shown
from clipdepth_bench.measure.interval import ratio_interval
from clipdepth_bench.report.record import Report, Row

_VARYING = ("time", "load_average", "cpu_mhz")
_MACHINE = ("cpu", "usable_cores", "threads", "gpus")


@dataclass(frozen=True)
class Change:
    """A row that both reports timed: how its median changed."""

    key: str
    before_ms: float
    after_ms: float
    interval: tuple[float, float] | None
    """95% interval of after / before; None for fewer than six rounds in either."""

    @property
    def ratio(self) -> float:
        """Of the medians of the rounds, after / before: above 1 is slower."""
        return self.after_ms / self.before_ms

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


def compare_reports(before: Report, after: Report) -> list[Change]:
    """A change for each row that both timed."""
    pairs = [(row, after.row(row.key)) for row in before.rows]
    return [_change(old, new) for old, new in pairs if new and old.medians_ms and new.medians_ms]


def _change(before: Row, after: Row) -> Change:
    interval = ratio_interval(after.medians_ms, before.medians_ms)
    return Change(before.key, median(before.medians_ms), median(after.medians_ms), interval)


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
    """Whether CPU, cores, threads and GPUs are the same, so that times can be compared at all."""
    old, new = before.environment, after.environment
    return all(getattr(old, name) == getattr(new, name) for name in _MACHINE)


def print_comparison(before: Report, after: Report, console: Console) -> None:
    """Print the table, what was lost, and what differs around it."""
    table = Table(title="after / before, medians of rounds", title_justify="left")
    table.add_column("engine")
    for heading in ("before ms", "after ms", "ratio", "95%"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for change in compare_reports(before, after):
        table.add_row(*_cells(change))
    console.print(table)
    _print_lines(lost_rows(before, after), console)
    _print_lines(environment_differences(before, after), console)
    if not is_same_machine(before, after):
        console.print("another machine or other threads: these times do not compare, their ratios to eager may")


def _print_lines(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        console.print(escape(shown(line)), highlight=False, soft_wrap=True)


def _cells(change: Change) -> list[str]:
    interval = "" if change.interval is None else f"{change.interval[0]:.3f} to {change.interval[1]:.3f}"
    times = (f"{change.before_ms:.2f}", f"{change.after_ms:.2f}", f"{change.ratio:.3f}")
    return [escape(shown(change.key)), *times, interval, change.verdict]
