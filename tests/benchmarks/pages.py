"""Read a benchmark's pages as a browser would."""

from collections import defaultdict
from html.parser import HTMLParser

from msgspec.structs import replace

from benchmarks.fakes import DIFFERS, absent_row, report_of, timed_row
from clipdepth.bundle.agreement import Agreement, Tolerance
from clipdepth.pipeline.latency import Latency
from clipdepth_bench.measure.samples import Ratio
from clipdepth_bench.report.record import Memory, Report, Row, Streaming

HOSTILE = '<b>&"| *x*_`'
EAGER = timed_row("PyTorch eager fp32", [100.0, 110.0, 120.0], speedup=Ratio(1.0, 1.0, 1.0))
_VOID = {"meta", "br", "img", "link", "input", "hr"}


def full_row() -> Row:
    """A row with everything, no two numbers the same."""
    agreement = Agreement(2, 1.25e-5, 2.5e-5, 7.5e-5, True, Tolerance(3.5e-4), 0.00123456, -0.0234567)
    return timed_row(
        "openvino int8",
        [10.0, 11.5, 12.25],
        agreement=agreement,
        latency_ms=Latency(1234, 11.123456, 10.9876543, 12.3456789, 15.5555555, 21.0987654),
        p50_interval_ms=(10.8765432, 11.0101010),
        speedup=Ratio(9.123456, 8.765432, 10.234567),
        streaming=Streaming(
            480, 640, Latency(77, 31.0, 30.123456, 33.0, 41.234567, 44.0), 30.0, 29.8765, {"board": 0.4567}
        ),
        memory=Memory(345.678, 123.456),
        model_mb=11.6543,
    )


def failed_row() -> Row:
    """A row whose depth differs; its latency is a lie that no plot may believe."""
    row = timed_row("onnxruntime int8", [0.5, 0.5, 0.5], agreement=DIFFERS, speedup=Ratio(240.0, 230.0, 250.0))
    return replace(row, status="failed", verdict="FAILED: depth differs from PyTorch's")


def full_report() -> Report:
    """All kinds of rows, with names that are markup."""
    missing = absent_row("tensorrt", "", f"no {HOSTILE}; run pip install 'clipdepth[tensorrt]'")
    rows = (EAGER, full_row(), failed_row(), missing)
    return report_of(*rows, bundle=f"{HOSTILE}.bundle", notes=[f"no energy: {HOSTILE}"])


class Page(HTMLParser):
    """What of a page tests look at; elements that are not closed in order are in `faults`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.faults: list[str] = []
        self.numbers: dict[str, set[float]] = defaultdict(set)
        """By the heading of the row they stand in."""
        self.failed: list[str] = []
        self._open: list[str] = []
        self._row, self._heading, self._row_failed = "", False, False
        self.feed(html)
        self.close()
        self.faults += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "tr":
            self._row, self._row_failed = "", attributes.get("class") == "failed"
        self._heading = tag == "th" and attributes.get("scope") == "row"
        if tag == "data":
            self.numbers[self._row].add(float(attributes["value"]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}>")
        if tag == "th" and self._heading:
            self._heading = False
            if self._row_failed:
                self.failed.append(self._row)

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            return
        self.text += data
        if self._heading:
            self._row += data
