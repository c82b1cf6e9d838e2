"""From contenders and samples to rows, a table and JSON."""

import json
from io import StringIO

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from clipdepth.agreement import Agreement, Tolerance
from clipdepth_bench.contender import RANDOM_WEIGHTS, Contender
from clipdepth_bench.report import Row, as_json, as_table, make_rows
from clipdepth_bench.timing import Samples

PASSED = Agreement(2, 1e-6, 2e-6, 3e-6, True, Tolerance(1e-4))
DIFFERS = Agreement(2, 0.05, 0.06, 0.07, True, Tolerance(1e-4))
NAN = Agreement(2, 0.0, 0.0, 0.0, False, Tolerance(1e-4))


def infer(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.zeros(frames.shape[:3], np.float32)


EAGER = Contender("PyTorch eager", "fp32", "CPU", infer, PASSED)
ENGINE = Contender("warp", "fp16", "GPU", infer, PASSED)
ABSENT = Contender("warp", "int8", "", None, None, "no warp here; run pip install warp")


def rows_of(*contenders: Contender, times: dict[str, list[list[float]]]) -> list[Row]:
    samples = {name: Samples(rounds) for name, rounds in times.items()}
    return make_rows(contenders, samples, "PyTorch eager fp32")


def printed(rows: list[Row]) -> list[str]:
    stream = StringIO()
    Console(file=stream, width=150).print(as_table(rows, "a title"))
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
    assert (engine.verdict, engine.device, engine.precision) == ("passed", "GPU", "fp16")


def test_a_fat_tail_shows_in_p99_and_max() -> None:
    steady, tailed = [[0.01] * 100], [[0.01] * 97 + [0.5] * 3]
    (calm,) = rows_of(ENGINE, times={"warp fp16": steady})
    (tail,) = rows_of(ENGINE, times={"warp fp16": tailed})
    assert calm.latency_ms is not None
    assert tail.latency_ms is not None
    assert tail.latency_ms.p50 == pytest.approx(calm.latency_ms.p50)
    assert tail.latency_ms.p99 == pytest.approx(500)
    assert tail.latency_ms.max == pytest.approx(500)
    assert any(" 500.0 " in line for line in printed([tail]))


@pytest.mark.parametrize("agreement", [DIFFERS, NAN])
def test_what_differs_has_no_latency(agreement: Agreement) -> None:
    wrong = Contender("warp", "fp16", "GPU", infer, agreement)
    _, row = rows_of(EAGER, wrong, times={"PyTorch eager fp32": [[0.1]], "warp fp16": [[0.001]]})
    assert row.latency_ms is None
    assert row.speedup is None
    assert row.verdict.startswith("FAILED")


def test_nan_is_not_printed_as_no_difference() -> None:
    (row,) = rows_of(Contender("warp", "fp16", "GPU", infer, NAN), times={"warp fp16": [[0.001]]})
    (line,) = [line for line in printed([row]) if "warp fp16" in line]
    assert "NaN" in line
    assert "0.0e+00" not in line


def test_what_is_absent_says_why() -> None:
    (row,) = rows_of(ABSENT, times={})
    assert (row.latency_ms, row.speedup, row.agreement) == (None, None, None)
    assert row.verdict == "no warp here; run pip install warp"
    assert any(row.verdict in line for line in printed([row]))


def test_without_eager_there_is_no_speedup() -> None:
    (row,) = rows_of(ENGINE, times={"warp fp16": [[0.02]]})
    assert row.latency_ms is not None
    assert row.speedup is None


def test_random_weights_are_timed_and_named() -> None:
    untrained = Contender("PyTorch eager", "fp32", "CPU", infer, None, RANDOM_WEIGHTS)
    (row,) = rows_of(untrained, times={"PyTorch eager fp32": [[0.1]]})
    assert row.latency_ms is not None
    assert row.agreement is None
    assert "random weights" in row.verdict


def test_json_is_plain_and_complete() -> None:
    times = {"PyTorch eager fp32": [[0.08]], "warp fp16": [[0.02]]}
    rows = rows_of(EAGER, ENGINE, ABSENT, times=times)
    report = as_json(rows, "x.bundle", {"fp32": "ab" * 32}, {"threads": 2})
    read = json.loads(json.dumps(report, allow_nan=False))
    assert set(read) == {"schema", "bundle", "graphs", "environment", "rows"}
    assert (read["schema"], read["bundle"], read["graphs"]) == (1, "x.bundle", {"fp32": "ab" * 32})
    assert [row["name"] for row in read["rows"]] == ["PyTorch eager", "warp", "warp"]
    assert set(read["rows"][1]["latency_ms"]) == {"n", "mean", "p50", "p90", "p99", "max"}
    assert read["rows"][1]["speedup"] == {"p50": 4.0, "p10": 4.0, "p90": 4.0}
    assert read["rows"][1]["agreement"]["mean"] == 1e-6
    assert read["rows"][2]["latency_ms"] is None
