"""`clipdepth bench` as a user calls it."""

import json
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from onnx import numpy_helper

import clipdepth
from benchmarks.fakes import report_of, timed_row
from bundles import brightness_graph, write_bundle, write_manifest
from clipdepth.bundle.folder import open_bundle
from clipdepth.cli import main
from clipdepth.engines import ENGINES, usable_cores
from clipdepth_bench.measure.duration import Duration, Measure
from clipdepth_bench.measure.timing import Timing, interleave
from clipdepth_bench.report.record import read_report, write_report
from runs import train_tiny_run

FEW = ["--rounds", "2", "--per-round", "3", "--threads", "1"]
QUICK = [*FEW, "--skip", "compile", "--skip", "streaming", "--skip", "memory"]


def bench(bundle: Path, *options: str, status: int = 0) -> dict[str, Any]:
    """Run the command and return its JSON report."""
    file = bundle.with_suffix(".json")
    assert main(["bench", str(bundle), *QUICK, "--json", str(file), *options]) == status
    report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return report


def row(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [row for row in report["rows"] if row["name"] == name]
    return dict(found)


def line(output: str, name: str) -> str:
    (found,) = [line for line in output.splitlines() if name in line]
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, status: int) -> str:
    assert main(["bench", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_pytorch_with_the_runs_weights_and_the_engine_pass(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = bench(run.with_name("tiny.bundle"), "--run", str(run))
    eager, engine = row(report, "PyTorch eager"), row(report, "onnxruntime")
    for found in (eager, engine):
        assert found["verdict"] == "passed"
        assert found["latency_ms"]["n"] == 6
        assert 0 <= found["agreement"]["mean"] <= 1e-4
    assert eager["executed"] is None
    assert engine["executed"]["layers"].keys() == {"fp32"}
    assert eager["speedup"]["p50"] == 1
    assert engine["speedup"]["p10"] <= engine["speedup"]["p50"] <= engine["speedup"]["p90"]
    assert "passed" in line(capsys.readouterr().out, "onnxruntime fp32")


def test_pytorch_without_the_run_has_random_weights(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = bench(run.with_name("tiny.bundle"))
    eager = row(report, "PyTorch eager")
    assert eager["agreement"] is None
    assert eager["latency_ms"]["n"] == 6
    assert "random weights" in eager["verdict"]
    assert "random weights" in line(capsys.readouterr().out, "PyTorch eager fp32")
    assert row(report, "onnxruntime")["verdict"] == "passed"


def test_another_runs_weights_are_refused(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = train_tiny_run(tmp_path / "other", data, epochs=0, seed=1)
    bundle = run.with_name("tiny.bundle")
    err = refused(capsys, str(bundle), "--run", str(other), status=2)
    assert f"{bundle} was not exported from {other}" in err
    assert "no checkpoint" in refused(capsys, str(bundle), "--run", str(tmp_path / "nowhere"), status=1)


def test_the_report_says_what_ran_where(run: Path) -> None:
    bundle = run.with_name("tiny.bundle")
    report = bench(bundle)
    assert report["schema"] == 2
    assert report["bundle"] == "tiny.bundle"
    assert report["graphs"] == {"fp32": open_bundle(bundle).manifest.files["depth.fp32.onnx"].sha256}
    environment = report["environment"]
    assert environment["clipdepth"] == clipdepth.__version__
    assert environment["threads"] == 1
    assert environment["usable_cores"] == usable_cores()
    assert environment["libraries"]["onnxruntime"] == version("onnxruntime")
    assert environment["libraries"]["torch"] == version("torch")
    assert environment["cpu"]
    assert environment["system"]
    assert report["method"] == {"rounds": 2, "seconds": 60.0, "within": 0.02, "reference": "PyTorch eager fp32"}
    assert report["input"] == {"height": 64, "width": 64}
    assert report["rows"][0]["model_mb"] > 0


def test_rows_can_be_left_out_but_not_the_one_that_others_are_compared_with(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = run.with_name("tiny.bundle")
    report = bench(bundle, "--without", "openvino", "PyTorch eager CUDA tf32", "--without", "onnxruntime-rtx")
    keys = {f"{row['name']} {row['precision']}".strip() for row in report["rows"]}
    assert {"PyTorch eager fp32", "onnxruntime fp32", "PyTorch eager CUDA fp32"} <= keys
    assert not keys & {"openvino fp32", "PyTorch eager CUDA tf32", "onnxruntime-rtx fp32"}
    capsys.readouterr()
    assert "no row is called so" in refused(capsys, str(bundle), "--without", "tensorflow", status=2)
    assert "compared with it" in refused(capsys, str(bundle), "--without", "PyTorch eager", status=2)


def test_an_engine_that_loads_and_cannot_run_is_a_row_that_says_why(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    onnx.save(brightness_graph(24, 32), bundle / "depth.fp32.onnx")  # takes other frames than the golden ones
    write_manifest(bundle, 48, 64)
    report = bench(bundle, status=1)
    assert "cannot run frames" in row(report, "onnxruntime")["verdict"]


def test_a_graph_that_differs_fails_and_is_not_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = bench(write_bundle(tmp_path / "b", wrong_by=1.05), status=1)
    found = row(report, "onnxruntime")
    assert found["verdict"].startswith("FAILED")
    assert (found["latency_ms"], found["speedup"]) == (None, None)
    assert found["agreement"]["mean"] == pytest.approx(0.05, rel=1e-4)
    printed = line(capsys.readouterr().out, "onnxruntime fp32")
    assert "FAILED" in printed
    assert "5.0e-02" in printed


def test_the_tolerance_is_the_manifests_and_a_looser_one_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = row(bench(write_bundle(tmp_path / "b", wrong_by=1.0005, tolerance=8e-4)), "onnxruntime")
    assert found["latency_ms"]
    assert found["verdict"] == "passed by limits looser than fp32's own: mean 0.0008 instead of 0.0001"
    assert "passed by limits looser" in " ".join(capsys.readouterr().out.split())


def test_nan_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    model = brightness_graph(48, 64)
    (nearest,) = [tensor for tensor in model.graph.initializer if tensor.name == "nearest"]
    nearest.CopyFrom(numpy_helper.from_array(np.float32(np.nan), "nearest"))
    onnx.save(model, bundle / "depth.fp32.onnx")
    write_manifest(bundle, 48, 64)
    report = bench(bundle, status=1)
    assert row(report, "onnxruntime")["agreement"]["finite"] is False
    assert "NaN" in line(capsys.readouterr().out, "onnxruntime fp32")


def test_a_row_for_every_graph(tmp_path: Path) -> None:
    report = bench(write_bundle(tmp_path / "b", precisions=("fp32", "fp16")))
    engines = [(row["name"], row["precision"]) for row in report["rows"] if row["name"] in ENGINES]
    assert engines[:2] == [("onnxruntime", "fp32"), ("onnxruntime", "fp16")]
    assert {name for name, _ in engines} == set(ENGINES)
    assert ("onnxruntime-cuda", "") in engines, "one row says that there is none"
    assert set(report["graphs"]) == {"fp32", "fp16"}


def test_one_of_several_sizes_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_bundle(tmp_path / "sizes.bundle", precisions=("fp32", "int8"), other_sizes=[(36, 64), (64, 48)])
    file = tmp_path / "r.json"
    parts = ["--skip", "compile", "--skip", "streaming", "--without", "onnxruntime int8"]
    for size, name, options in ((48, "depth", []), (36, "depth.36x64", ["--size", "36x64"])):
        assert main(["bench", str(path), *FEW, *parts, *options, "--json", str(file)]) == 0
        report = json.loads(file.read_text(encoding="utf-8"))
        assert report["input"] == {"height": size, "width": 64}
        files = open_bundle(path).manifest.files
        assert report["graphs"] == {label: files[f"{name}.{label}.onnx"].sha256 for label in ("fp32", "int8")}
        engine = row(report, "onnxruntime")
        assert engine["verdict"] == "passed"
        assert engine["memory"]["host_mb"] > 0
        assert f"sizes.bundle, {size}×64" in capsys.readouterr().out
    err = refused(capsys, str(path), "--size", "9x9", status=2)
    assert "has no graph of 9×9; it has 48×64, 36×64, 64×48" in err


def test_a_graph_that_does_not_load_says_why(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    model = brightness_graph(48, 64)
    model.graph.node[1].input[0] = "nowhere"
    onnx.save(model, bundle / "depth.fp32.onnx")
    write_manifest(bundle, 48, 64)
    found = row(bench(bundle, status=1), "onnxruntime")
    assert "cannot load" in found["verdict"]
    assert (found["latency_ms"], found["agreement"]) == (None, None)


def test_an_engine_whose_library_is_missing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for library, module in (("onnxruntime", "onnxruntime_cpu"), ("openvino", "openvino")):
        monkeypatch.setitem(sys.modules, library, None)
        monkeypatch.delitem(sys.modules, f"clipdepth.engines.{module}", raising=False)
    report = bench(write_bundle(tmp_path / "b[1]"), status=1)
    assert "pip install 'clipdepth[cpu]'" in row(report, "onnxruntime")["verdict"]
    out = capsys.readouterr().out
    assert "clipdepth[cpu]" in out
    assert "b[1], 48×64" in out


@pytest.mark.parametrize("library", ["torch", "clipdepth_train.checkpoint"])
def test_on_a_device_without_pytorch_the_engine_is_still_timed(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    report = bench(write_bundle(tmp_path / "b"))
    assert "pip install 'clipdepth[train]'" in row(report, "PyTorch eager")["verdict"]
    engine = row(report, "onnxruntime")
    assert engine["latency_ms"]["n"] == 6
    assert engine["speedup"] is None


def test_a_recipe_that_cannot_be_read_takes_nothing_from_the_engines(tmp_path: Path) -> None:
    """The tests' brightness bundle has no recipe of a network."""
    report = bench(write_bundle(tmp_path / "b"))
    eager = row(report, "PyTorch eager")
    assert "holds no recipe this version can read" in eager["verdict"]
    assert eager["latency_ms"] is None
    assert row(report, "onnxruntime")["verdict"] == "passed"


def test_a_tampered_bundle_is_not_timed(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = shutil.copytree(run.with_name("tiny.bundle"), tmp_path / "b")
    with (bundle / "golden.npz").open("ab") as file:
        file.write(b"!")
    assert "golden.npz has" in refused(capsys, str(bundle), status=1)


@pytest.mark.parametrize("option", ["--rounds", "--per-round", "--threads", "--seconds"])
def test_counts_must_be_positive(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert option in refused(capsys, str(tmp_path), option, "0", status=2)


def test_streaming_and_memory_are_measured_of_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    options = ["--seconds", "2", "--rounds", "1", "--threads", "1", "--skip", "compile"]
    assert main(["bench", str(bundle), *options, "--json", str(tmp_path / "r.json")]) == 0
    report = read_report(tmp_path / "r.json")
    engine = report.row("onnxruntime fp32")
    assert engine is not None
    assert engine.streaming is not None
    assert engine.memory is not None
    assert engine.latency_ms is not None
    assert engine.streaming.capture_to_depth_ms.p50 > engine.latency_ms.p50
    assert engine.streaming.fps > 20
    assert engine.memory.host_mb > 30
    assert all(row.streaming is None and row.memory is None for row in report.rows if row.status == "absent")
    assert "in the pipeline, and memory" in capsys.readouterr().out


def test_what_fails_while_streaming_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("no room\nfor this")

    monkeypatch.setattr("clipdepth_bench.bench.rounds.measure_memory", refuse)
    bundle = write_bundle(tmp_path / "b")
    options = [*FEW, "--skip", "compile", "--skip", "streaming"]
    assert main(["bench", str(bundle), *options]) == 0
    assert "no memory of onnxruntime fp32: no room\n" in capsys.readouterr().out


def test_ctrl_c_reports_what_was_measured_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clipdepth_bench.bench.rounds.measure_memory", interrupted)
    path = tmp_path / "r.json"
    options = [*FEW, "--skip", "compile", "--skip", "streaming", "--json", str(path)]
    assert main(["bench", str(write_bundle(tmp_path / "b")), *options]) == 130
    report = read_report(path)
    assert report.interrupted
    engine = report.row("onnxruntime fp32")
    assert engine is not None
    assert engine.latency_ms is not None
    assert "interrupted" in capsys.readouterr().out


def test_ctrl_c_while_timing_skips_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The eleventh call brings it: of a warm-up of 4, a round of 4, and the second of the next."""
    calls = 0

    def interrupting(measure: Measure) -> Measure:
        def pressed(frames: NDArray[np.uint8]) -> Duration:
            nonlocal calls
            calls += 1
            if calls == 11:
                raise KeyboardInterrupt
            return measure(frames)

        return pressed

    def timed(measures: Sequence[Measure], *arguments: Any) -> Timing:
        return interleave([interrupting(measure) for measure in measures[:1]] + list(measures[1:]), *arguments)

    monkeypatch.setattr("clipdepth_bench.bench.rounds.interleave", timed)
    path = tmp_path / "r.json"
    options = ["--per-round", "3", "--threads", "1", "--skip", "compile", "--json", str(path)]
    assert main(["bench", str(write_bundle(tmp_path / "b")), *options]) == 130
    report = read_report(path)
    assert report.interrupted
    engine = report.row("onnxruntime fp32")
    assert engine is not None
    assert engine.latency_ms is not None
    assert (engine.latency_ms.n, engine.stopped, engine.streaming, engine.memory) == (4, "interrupted", None, None)
    assert "interrupted: this is what was measured until then" in capsys.readouterr().out


def test_a_broken_condition_is_a_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    conditions = ["--fail-if", "p50 > 1us", "--fail-if", "onnxruntime: p99 > 1us", "--fail-if", "p50 > 100s"]
    assert main(["bench", str(bundle), *QUICK, *conditions]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("clipdepth bench: failed")]
    assert len(lines) == 2
    assert "p50 > 1us" in lines[0]
    assert "onnxruntime fp32 has p99" in lines[1]


def test_a_condition_that_cannot_be_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    assert "p50 is in us or ms or s" in refused(capsys, str(bundle), "--fail-if", "p50 > 20", status=2)
    assert "no row is called so" in refused(capsys, str(bundle), "--fail-if", "onnx: p50 > 20ms", status=2)
    assert "is no share" in refused(capsys, str(bundle), "--by", "10", status=2)


def test_slower_than_an_earlier_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, path = write_bundle(tmp_path / "b"), tmp_path / "r.json"
    bench(bundle)
    now = read_report(bundle.with_suffix(".json"))
    slower = ["--fail-if-slower-than", str(path), "--by", "20%", "--reference", "openvino fp32"]

    def scaled(share: float) -> None:
        """The same report, of a machine a thousand times as slow, with ONNX Runtime's time `share` times as long."""
        shares = {"openvino fp32": 1e3, "onnxruntime fp32": 1e3 * share}
        rows = [
            replace(row, round_medians_ms=[shares[row.key] * median for median in row.medians_ms])
            for row in now.rows
            if row.latency_ms
        ]
        write_report(path, replace(now, rows=rows))

    scaled(1e6)
    assert main(["bench", str(bundle), *QUICK, *slower]) == 0
    scaled(1e-6)
    capsys.readouterr()
    assert main(["bench", str(bundle), *QUICK, *slower]) == 1
    assert "beside openvino fp32, onnxruntime fp32 takes " in capsys.readouterr().err
    assert "no row is called so" in refused(capsys, str(bundle), *slower, "--without", "openvino", status=2)
    assert "is of --fail-if-slower-than" in refused(capsys, str(bundle), "--reference", "openvino fp32", status=2)
    error = refused(capsys, str(bundle), "--fail-if-slower-than", str(path), status=1)
    assert "has no time of PyTorch eager" in error


def test_an_engine_that_was_lost_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, path = write_bundle(tmp_path / "b"), tmp_path / "r.json"
    write_report(path, report_of(timed_row("tensorrt fp16", [5.0]), timed_row("openvino fp32", [5.0])))
    slower = ["--fail-if-slower-than", str(path), "--reference", "openvino fp32"]
    assert main(["bench", str(bundle), *QUICK, *slower]) == 1
    error = capsys.readouterr().err
    assert "tensorrt fp16 was timed before" in error
    assert "openvino fp32 in this run is of another model or graph than in" in error


def test_two_reports_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, median in (("a", 10.0), ("b", 8.0)):
        rows = timed_row("PyTorch eager fp32", [40.0] * 10), timed_row("openvino int8", [median] * 10)
        write_report(tmp_path / f"{name}.json", report_of(*rows))
    assert main(["bench", "compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    assert "faster" in line(capsys.readouterr().out, "openvino int8")
    other = ["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--reference", "warp fp32"]
    assert "a.json has no time of warp fp32" in refused(capsys, *other, status=1)
    (tmp_path / "old.json").write_text('{"schema": 1}', encoding="utf-8")
    assert "has schema 1" in refused(capsys, "compare", str(tmp_path / "old.json"), str(tmp_path / "b.json"), status=1)
    assert "AFTER.json" in refused(capsys, "compare", str(tmp_path / "a.json"), status=2)
