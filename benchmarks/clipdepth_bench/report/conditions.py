"""`--fail-if`: what a report must not show."""

import operator
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clipdepth.engines import ENGINES
from clipdepth_bench.report.record import Report, Row

_LATENCIES = ("p50", "p90", "p99", "max", "mean")
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_MB = {"kB": 1e-3, "MB": 1.0, "GB": 1e3}
_FIELDS: dict[str, tuple[tuple[str, ...], dict[str, float]]] = {
    **{name: (("latency_ms", name), _MS) for name in _LATENCIES},
    **{f"capture_to_depth_{name}": (("streaming", "capture_to_depth_ms", name), _MS) for name in _LATENCIES},
    "fps": (("streaming", "fps"), {"fps": 1.0}),
    "host_memory": (("memory", "host_mb"), _MB),
    "device_memory": (("memory", "device_mb"), _MB),
    "model_size": (("model_mb",), _MB),
    "speedup": (("speedup", "p50"), {"x": 1.0}),
}
"""What can be asked: where it stands in a row, and its units in those of the report."""
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(
    r"(?:(?P<row>[^:<>]+):)?\s*(?P<field>\w+)\s*(?P<sign>[<>]=?)\s*(?P<number>[\d.]+)\s*(?P<unit>\w*)\s*"
)


@dataclass(frozen=True)
class Condition:
    """Such as 'p50 > 20ms' or 'openvino int8: fps < 30fps'."""

    text: str
    row: str | None
    """A row's key or name; None for the fastest engine that passed."""
    field: str
    sign: str
    limit: float
    """In the report's units: milliseconds, frames a second, megabytes, times."""
    unit: str
    """The same, for people."""

    def broken(self, report: Report) -> list[str]:
        """A line for each row for which it holds, or for which that cannot be told."""
        rows = [row for row in report.rows if _is_meant(self.row, row)] if self.row else _fastest(report)
        if not rows:
            return [f"--fail-if '{self.text}': {f'{self.row} was not' if self.row else 'no engine was'} timed"]
        return [line for row in rows if (line := self._broken_by(row))]

    def _broken_by(self, row: Row) -> str | None:
        value = _value(row, self.field)
        if value is None:
            return f"--fail-if '{self.text}': {row.key} has no {self.field} ({row.verdict})"
        if _OPERATORS[self.sign](value, self.limit):
            return f"--fail-if '{self.text}': {row.key} has {self.field} {value:.4g} {self.unit}".rstrip()
        return None


def parse_condition(text: str) -> Condition:
    """Read '[ROW:] FIELD SIGN NUMBER UNIT'; for `add_argument(type=…)`."""
    found = _FORM.fullmatch(text)
    if not found:
        raise ArgumentTypeError(
            f"'{text}' is no condition; write one such as 'p50 > 20ms' or 'openvino int8: fps < 30fps'"
        )
    field, unit = found["field"], found["unit"]
    if field not in _FIELDS:
        raise ArgumentTypeError(f"'{text}': there is no {field}; choose one of {', '.join(_FIELDS)}")
    units = _FIELDS[field][1]
    if unit not in units:
        raise ArgumentTypeError(f"'{text}': {field} is in {' or '.join(units)}")
    try:
        limit = float(found["number"]) * units[unit]
    except ValueError:
        raise ArgumentTypeError(f"'{text}': '{found['number']}' is no number") from None
    row = found["row"].strip() if found["row"] else None
    return Condition(text, row, field, found["sign"], limit, next(name for name in units if units[name] == 1))


def parse_share(text: str) -> float:
    """Read '10%' as 0.1; for `add_argument(type=…)`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text, re.ASCII)
    if not found:
        raise ArgumentTypeError(f"'{text}' is no share; write one such as 10%")
    return float(found[1]) / 100


def _is_meant(name: str, row: Row) -> bool:
    # A row that stands for all precisions of a missing engine is what 'openvino int8' means, too.
    return name in (row.key, row.name) or (not row.precision and name.startswith(f"{row.name} "))


def _fastest(report: Report) -> list[Row]:
    engines = [row for row in report.rows if row.name in ENGINES and row.status == "passed"]
    timed = {row.key: row.latency_ms.p50 for row in engines if row.latency_ms}
    return sorted((row for row in engines if row.key in timed), key=lambda row: timed[row.key])[:1]


def _value(row: Row, field: str) -> float | None:
    """None where it was not measured."""
    found: Any = row
    for name in _FIELDS[field][0]:
        found = None if found is None else getattr(found, name)
    return None if found is None else float(found)
