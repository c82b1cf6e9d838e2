"""From contenders and samples to rows, JSON and a table."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.fakes import DIFFERS, NAN, PASSED, absent_row, infer, report_of, timed_row
from clipdepth.bundle.agreement import TOLERANCES, Agreement
from clipdepth.engines.precisions import Precisions
from clipdepth.pipeline.latency import summarise_latency
from clipdepth_bench.contender import Contender, absent, gated_as
from clipdepth_bench.families.pytorch import RANDOM_WEIGHTS
from clipdepth_bench.measure.duration import Duration
from clipdepth_bench.measure.samples import Samples
from clipdepth_bench.measure.timing import Limits
from clipdepth_bench.report.html import html
from clipdepth_bench.report.markdown import markdown
from clipdepth_bench.report.record import (
    Memory,
    Report,
    ReportError,
    Row,
    Streaming,
    make_rows,
    read_report,
    write_report,
)
from clipdepth_bench.report.sections import bench_document
from clipdepth_bench.report.terminal import print_report

EAGER = Contender("PyTorch eager", "fp32", "CPU", infer, PASSED)
ENGINE = Contender("warp", "fp16", "GPU", infer, PASSED, model_bytes=2_500_000)
ABSENT = absent("warp", "int8", "no warp here;\n  run pip install 'warp[gpu]'")
STREAMING = Streaming(480, 640, summarise_latency([0.03, 0.05]), 30.0, 24.6, {"GPU board (NVML)": 0.125})


def rows_of(*contenders: Contender, times: dict[str, list[list[float]]]) -> list[Row]:
    samples = {
        name: Samples([[Duration(seconds) for seconds in round_] for round_ in rounds])
        for name, rounds in times.items()
    }
    return make_rows(contenders, samples, "PyTorch eager fp32", "time limit", Limits())


def printed(*rows: Row, report: Report | None = None) -> list[str]:
    stream = StringIO()
    print_report(report or report_of(*rows), Console(file=stream, width=150))
    return stream.getvalue().splitlines()


def test_latency_in_milliseconds_and_speed_against_eager() -> None:
    times = {"PyTorch eager fp32": [[0.08, 0.08], [0.1, 0.1]], "warp fp16": [[0.02, 0.02], [0.02, 0.02]]}
    eager, engine = rows_of(EAGER, ENGINE, times=times)
    assert engine.latency_ms is not None
    assert (engine.latency_ms.n, engine.latency_ms.p50, engine.latency_ms.max) == pytest.approx((4, 20.0, 20.0))
    assert eager.speedup is not None
    assert engine.speedup is not None
    assert (eager.speedup.p10, eager.speedup.p50, eager.speedup.p90) == (1.0, 1.0, 1.0)
    assert (engine.speedup.p10, engine.speedup.p50, engine.speedup.p90) == pytest.approx((4.1, 4.5, 4.9))
    assert (engine.verdict, engine.status, engine.device, engine.key) == ("passed", "passed", "GPU", "warp fp16")
    assert (engine.timed_by, engine.model_mb) == ("clock", 2.5)
    assert eager.round_medians_ms == pytest.approx([80, 100])


def test_a_fat_tail_shows_in_p99_and_max() -> None:
    steady, tailed = [[0.01] * 100], [[0.01] * 97 + [0.5] * 3]
    (calm,) = rows_of(ENGINE, times={"warp fp16": steady})
    (tail,) = rows_of(ENGINE, times={"warp fp16": tailed})
    assert calm.latency_ms is not None
    assert tail.latency_ms is not None
    assert tail.latency_ms.p50 == pytest.approx(calm.latency_ms.p50)
    assert tail.latency_ms.p99 == pytest.approx(500)
    assert tail.latency_ms.max == pytest.approx(500)
    assert any(" 500.0 " in line for line in printed(tail))


def test_the_interval_and_why_it_ended() -> None:
    steady, few = [[0.01]] * 8, [[0.01]] * 5
    wide = [[0.01 * (1 + number / 10)] for number in range(8)]
    (sure,) = rows_of(ENGINE, times={"warp fp16": steady})
    (short,) = rows_of(ENGINE, times={"warp fp16": few})
    (unsure,) = rows_of(ENGINE, times={"warp fp16": wide})
    assert (sure.p50_interval_ms, sure.stopped) == ((10.0, 10.0), "precise")
    assert (short.p50_interval_ms, short.stopped) == (None, "time limit")
    assert unsure.p50_interval_ms == pytest.approx((10.0, 17.0))
    assert unsure.stopped == "time limit"
    assert any("25.9%*" in line for line in printed(unsure))
    assert any(" 0.0% " in line for line in printed(sure))


@given(st.lists(st.lists(st.floats(1e-4, 1.0), max_size=9), min_size=6, max_size=12))
def test_a_printed_median_lies_within_its_printed_interval(rounds: list[list[float]]) -> None:
    if not any(rounds):
        return
    (row,) = rows_of(ENGINE, times={"warp fp16": rounds})
    assert row.latency_ms is not None
    assert row.latency_ms.p50 == np.median(row.medians_ms)
    if row.p50_interval_ms is not None:
        assert row.p50_interval_ms[0] <= row.latency_ms.p50 <= row.p50_interval_ms[1]


def test_a_median_is_of_rounds_and_not_of_the_rounds_with_most_samples() -> None:
    """Twenty samples of a fast round and one of each slow one: the median of all would lie below the interval."""
    (row,) = rows_of(ENGINE, times={"warp fp16": [[0.001] * 20, *[[0.002]] * 12]})
    assert row.latency_ms is not None
    assert (row.latency_ms.p50, row.p50_interval_ms, row.latency_ms.n) == (2.0, (2.0, 2.0), 32)


def test_rounds_it_sat_out_are_null() -> None:
    (row,) = rows_of(ENGINE, times={"warp fp16": [[0.01], [], [0.03]]})
    assert row.round_medians_ms == [10.0, None, 30.0]
    assert row.medians_ms == [10.0, 30.0]


def test_times_without_transfers_stand_beside() -> None:
    rounds = [[Duration(0.01, 0.004), Duration(0.02, 0.006)]]
    contender = replace(ENGINE, timed_by="CUDA events")
    (row,) = make_rows([contender], {"warp fp16": Samples(rounds)}, "none", "rounds", Limits())
    assert row.latency_ms is not None
    assert row.without_transfers_ms is not None
    assert (row.latency_ms.p50, row.without_transfers_ms.p50) == pytest.approx((15, 5))
    assert row.timed_by == "CUDA events"


@pytest.mark.parametrize("agreement", [DIFFERS, NAN])
def test_what_differs_has_no_latency(agreement: Agreement) -> None:
    wrong = replace(ENGINE, agreement=agreement)
    assert wrong.stopwatch is None
    _, row = rows_of(EAGER, wrong, times={"PyTorch eager fp32": [[0.1]], "warp fp16": [[0.001]]})
    assert (row.latency_ms, row.speedup, row.round_medians_ms, row.status) == (None, None, [], "failed")
    (line,) = [line for line in printed(row) if "warp fp16" in line]
    assert "FAILED" in line


@pytest.mark.parametrize(
    ("precision", "mean", "verdict"),
    [
        ("tf32", 4e-3, "passed"),
        ("tf32", 6e-3, "FAILED: depth differs from PyTorch's"),
        ("bf16", 2e-2, "passed"),
        ("bf16", 4e-2, "FAILED: depth differs from PyTorch's"),
    ],
)
def test_pytorchs_own_precisions_pass_the_gate_of_as_many_bits(precision: str, mean: float, verdict: str) -> None:
    agreement = replace(PASSED, mean=mean, tolerance=TOLERANCES[gated_as(precision)])
    (row,) = rows_of(replace(ENGINE, precision=precision, agreement=agreement), times={})
    assert row.verdict == verdict


def test_nan_is_not_printed_as_no_difference() -> None:
    (row,) = rows_of(replace(ENGINE, agreement=NAN), times={"warp fp16": [[0.001]]})
    (line,) = [line for line in printed(row) if "warp fp16" in line]
    assert "NaN" in line
    assert "0.0e+00" not in line


def test_what_is_absent_says_why_in_a_line() -> None:
    (row,) = rows_of(ABSENT, times={})
    assert (row.latency_ms, row.speedup, row.agreement, row.stopped, row.status) == (None, None, None, None, "absent")
    assert "warp int8: no warp here; run pip install 'warp[gpu]'" in printed(row)


def test_without_eager_there_is_no_speedup() -> None:
    (row,) = rows_of(ENGINE, times={"warp fp16": [[0.02]]})
    assert row.latency_ms is not None
    assert row.speedup is None


def test_random_weights_are_timed_and_named() -> None:
    untrained = Contender("PyTorch eager", "fp32", "CPU", infer, None, RANDOM_WEIGHTS)
    (row,) = rows_of(untrained, times={"PyTorch eager fp32": [[0.1]]})
    assert row.latency_ms is not None
    assert (row.agreement, row.status) == (None, "unchecked")
    assert "random weights" in row.verdict


def test_streaming_memory_and_notes_are_printed() -> None:
    row = timed_row("warp fp16", [10.0], streaming=STREAMING, memory=Memory(123.4, None), model_mb=5.5)
    lines = printed(report=report_of(row, notes=["no energy: [here]"], interrupted=True))
    (line,) = [line for line in lines if "123.4" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "warp fp16", "40.0", "49.8", "24.6", "123.4", "", "5.5", "0.125",
    ]  # fmt: skip
    assert "no energy: [here]" in lines
    assert any("interrupted" in line for line in lines)


def test_a_report_is_written_and_read_again(tmp_path: Path) -> None:
    row = timed_row("warp fp16", [10.0, 12.0], streaming=STREAMING, memory=Memory(123.4, 5.0))
    report = report_of(row, absent_row("warp", "int8", "no warp"))
    write_report(tmp_path / "r.json", report)
    assert read_report(tmp_path / "r.json") == report
    plain = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert plain["schema"] == 2
    assert plain["rows"][0]["latency_ms"]["p50"] == 11.0
    assert plain["rows"][1]["latency_ms"] is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (b'{"schema": 1, "rows": []}', "has schema 1, this clipdepth reads schema 2; run 'clipdepth bench' again"),
        (b'{"schema": 2, "rows": []}', "missing required field"),
        (b"{", "truncated"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_report_of_this_schema_is_refused(tmp_path: Path, written: bytes | None, message: str) -> None:
    path = tmp_path / "r.json"
    if written is not None:
        path.write_bytes(written)
    with pytest.raises(ReportError, match=r"r\.json") as raised:
        read_report(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_field_of_another_type_is_named(tmp_path: Path) -> None:
    plain = json.loads(msgspec.json.encode(report_of(timed_row("warp fp16", [1.0]))))
    plain["rows"][0]["latency_ms"]["p50"] = "fast"
    (tmp_path / "r.json").write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(ReportError, match=r"field rows\[0\]\.latency_ms\.p50: "):
        read_report(tmp_path / "r.json")


def test_an_int8_row_that_is_not_int8_says_so_in_its_name_and_keeps_its_key(tmp_path: Path) -> None:
    layers = tuple(f"layer{index}" for index in range(7))
    floating = timed_row("warp int8", [1.0], executed=Precisions({"fp32": 7, "int8": 1}, layers))
    report = report_of(floating, timed_row("weft int8", [1.0], executed=Precisions({"int8": 9, "fp16": 1})))
    assert [row.title for row in report.rows] == ["warp int8 (12% in int8)", "weft int8"]
    assert (report.row("warp int8"), report.title("warp int8")) == (floating, "warp int8 (12% in int8)")
    assert report.title("nothing int8") == "nothing int8"
    lines = printed(report=report)
    assert any("7 in fp32, 1 in int8" in line for line in lines)
    assert "warp int8: quantised, and not run in int8: layer0, layer1, layer2, layer3, layer4 and 2 more" in lines
    page, text = html(bench_document(report)), markdown(bench_document(report))
    for written in (page, text):
        assert "warp int8 (12% in int8)" in written
        assert "layer4 and 2 more" in written
    assert "| weft int8 | 9 | 1 | 0 | 90% | – |" in text
    write_report(tmp_path / "r.json", report)
    assert read_report(tmp_path / "r.json").rows[0].title == "warp int8 (12% in int8)"


def test_a_report_from_before_engines_were_read_is_read(tmp_path: Path) -> None:
    plain = json.loads(msgspec.json.encode(report_of(timed_row("warp int8", [1.0]))))
    del plain["rows"][0]["executed"]
    (tmp_path / "r.json").write_text(json.dumps(plain), encoding="utf-8")
    (row,) = read_report(tmp_path / "r.json").rows
    assert (row.executed, row.title) == (None, "warp int8")
    assert not any("arithmetic" in line for line in printed(row))
