"""`--fail-if`: what is read, what breaks it, what cannot be told."""

from argparse import ArgumentTypeError

import pytest

from benchmarks.fakes import absent_row, report_of, timed_row
from clipdepth.pipeline.latency import summarise_latency
from clipdepth_bench.measure.samples import Ratio
from clipdepth_bench.report.conditions import parse_condition, parse_share
from clipdepth_bench.report.record import Memory, Streaming

STREAMING = Streaming(480, 640, summarise_latency([0.03, 0.03]), 30.0, 25.0, {})
REPORT = report_of(
    timed_row("PyTorch eager fp32", [1.0]),
    timed_row("onnxruntime fp32", [20.0, 20.0, 50.0], memory=Memory(400.0, None), model_mb=44.0),
    timed_row("openvino int8", [10.0], streaming=STREAMING, speedup=Ratio(3.0, 2.0, 4.0)),
    timed_row("openvino fp32", [15.0], status="failed"),
    timed_row("tensorrt fp16", [1.0], status="failed"),
    absent_row("openvino-gpu", "", "finds no GPU"),
)


def broken(text: str) -> list[str]:
    return parse_condition(text).broken(REPORT)


@pytest.mark.parametrize(
    "text",
    [
        "p50 > 9ms",
        "p50>=10 ms",
        "p50 > 0.0099 s",
        "p50 < 10001us",
        "openvino int8: fps <= 25 fps",
        "openvino int8:capture_to_depth_p99 > 29ms",
        "onnxruntime fp32: max >= 50ms",
        "onnxruntime: mean > 29ms",
        "onnxruntime fp32: host_memory > 0.3GB",
        "onnxruntime fp32: model_size > 43.9MB",
        "speedup < 3.1x",
        "openvino: p50 > 12ms",
    ],
)
def test_what_holds_is_a_line(text: str) -> None:
    (line,) = broken(text)
    assert text in line


@pytest.mark.parametrize(
    "text",
    [
        "p50 > 10ms",
        "p50 < 10ms",
        "openvino int8: fps < 25fps",
        "onnxruntime fp32: p50 > 20ms",
        "onnxruntime fp32: max > 50ms",
        "openvino int8: p50 > 0.01s",
        "onnxruntime fp32: host_memory > 400MB",
    ],
)
def test_what_does_not_hold_is_none(text: str) -> None:
    assert broken(text) == []


def test_without_a_row_it_is_the_fastest_engine_that_passed() -> None:
    (line,) = broken("p50 > 1us")
    assert "openvino int8 has p50 10 ms" in line


def test_a_name_without_precision_is_all_of_its_rows() -> None:
    assert len(broken("openvino: p50 > 1ms")) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("openvino-gpu int8: p50 > 1ms", "openvino-gpu has no p50 (finds no GPU)"),
        ("onnxruntime fp32: fps < 1fps", "onnxruntime fp32 has no fps (passed)"),
        ("device_memory > 1MB", "openvino int8 has no device_memory"),
        ("onnxruntime-rtx fp16: p50 > 1ms", "onnxruntime-rtx fp16 was not timed"),
    ],
)
def test_what_was_not_measured_does_not_pass(text: str, why: str) -> None:
    (line,) = broken(text)
    assert why in line


def test_no_engine_at_all_does_not_pass() -> None:
    (line,) = parse_condition("p50 > 1s").broken(report_of(timed_row("PyTorch eager fp32", [1.0])))
    assert "no engine was timed" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no condition"),
        ("p50", "is no condition"),
        ("p50 = 20ms", "is no condition"),
        ("p50 > twenty", "is no condition"),
        ("p50 > -1ms", "is no condition"),
        ("p51 > 20ms", "there is no p51; choose one of p50"),
        ("p50 > 20", "p50 is in us or ms or s"),
        ("p50 > 20fps", "p50 is in us or ms or s"),
        ("fps < 20ms", "fps is in fps"),
        ("p50 > 1.2.3ms", "'1.2.3' is no number"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(ArgumentTypeError) as raised:
        parse_condition(text)
    assert message in str(raised.value)


def test_shares() -> None:
    assert [parse_share(text) for text in ("10%", "2.5 %", "0%")] == pytest.approx([0.1, 0.025, 0])
    for text in ("10", "-1%", "ten%", ""):
        with pytest.raises(ArgumentTypeError, match="is no share"):
            parse_share(text)
