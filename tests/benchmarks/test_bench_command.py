"""`clipdepth bench` as a user calls it."""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import clipdepth
from bundles import brightness_graph, write_bundle, write_manifest
from clipdepth.bundle import open_bundle
from clipdepth.cli import main
from clipdepth.engines import ENGINES, usable_cores
from runs import train_tiny_run

FEW = ["--rounds", "2", "--per-round", "3", "--threads", "1"]


def bench(bundle: Path, *options: str, status: int = 0) -> dict[str, Any]:
    """Run the command and return its JSON report."""
    file = bundle.with_suffix(".json")
    assert main(["bench", str(bundle), *FEW, "--json", str(file), *options]) == status
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
    assert eager["speedup"]["p50"] == 1
    assert engine["speedup"]["p10"] <= engine["speedup"]["p50"] <= engine["speedup"]["p90"]
    assert "passed" in line(capsys.readouterr().out, "onnxruntime fp32")


def test_pytorch_without_the_run_has_random_weights(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = bench(run.with_name("tiny.bundle"))
    eager = row(report, "PyTorch eager")
    assert eager["agreement"] is None
    assert eager["latency_ms"]["n"] == 6
    assert "random weights" in eager["verdict"]
    assert "random weights" in line(capsys.readouterr().out, "PyTorch eager")
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
    assert report["schema"] == 1
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


def test_a_graph_that_differs_fails_and_is_not_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = bench(write_bundle(tmp_path / "b", wrong_by=1.05), status=1)
    found = row(report, "onnxruntime")
    assert found["verdict"].startswith("FAILED")
    assert (found["latency_ms"], found["speedup"]) == (None, None)
    assert found["agreement"]["mean"] == pytest.approx(0.05, rel=1e-4)
    printed = line(capsys.readouterr().out, "onnxruntime fp32")
    assert "FAILED" in printed
    assert "5.0e-02" in printed


def test_the_tolerance_is_the_manifests(tmp_path: Path) -> None:
    assert row(bench(write_bundle(tmp_path / "b", wrong_by=1.05, tolerance=0.06)), "onnxruntime")["latency_ms"]


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
    engines = [(row["name"], row["precision"]) for row in report["rows"][1:]]
    assert engines[:2] == [("onnxruntime", "fp32"), ("onnxruntime", "fp16")]
    assert {name for name, _ in engines} == set(ENGINES)
    assert ("onnxruntime-cuda", "") in engines, "one row says that there is none"
    assert set(report["graphs"]) == {"fp32", "fp16"}


def test_a_graph_that_does_not_load_says_why(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    (bundle / "depth.fp32.onnx").write_bytes(b"no graph")
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


@pytest.mark.parametrize("option", ["--rounds", "--per-round", "--threads"])
def test_counts_must_be_positive(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert option in refused(capsys, str(tmp_path), option, "0", status=2)
