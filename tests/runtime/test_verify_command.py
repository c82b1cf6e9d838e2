import json
from pathlib import Path

import pytest

from bundles import write_bundle
from clipdepth.cli import main


def test_a_sound_bundle_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b", precisions=("fp32", "fp16"))
    assert main(["verify", str(bundle), "--json", str(tmp_path / "v.json")]) == 0
    out, err = capsys.readouterr()
    assert out.count("agrees") == 2
    assert err == ""
    found = json.loads((tmp_path / "v.json").read_text())
    assert found["passed"] is True
    assert [graph["precision"] for graph in found["graphs"]] == ["fp32", "fp16"]
    assert all(graph["device"] == "CPU" and graph["passed"] for graph in found["graphs"])
    assert all(graph["agreement"]["mean"] < 1e-6 for graph in found["graphs"])


def test_a_graph_that_differs_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b", wrong_by=1.05)
    assert main(["verify", str(bundle), "--json", str(tmp_path / "v.json")]) == 1
    assert "differs" in capsys.readouterr().out
    found = json.loads((tmp_path / "v.json").read_text())
    assert found["passed"] is False
    assert found["graphs"][0]["agreement"]["mean"] == pytest.approx(0.05, rel=1e-4)


def test_a_graph_that_gives_nan_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b", wrong_by=float("nan"))
    assert main(["verify", str(bundle), "--json", str(tmp_path / "v.json")]) == 1
    assert "NaN" in capsys.readouterr().out
    assert json.loads((tmp_path / "v.json").read_text())["passed"] is False


def test_only_the_precisions_asked_for_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b", precisions=("fp32", "fp16", "int8"))
    assert main(["verify", str(bundle), "--precision", "fp16", "--precision", "int8"]) == 0
    out = capsys.readouterr().out
    assert "fp16" in out
    assert "int8" in out
    assert "fp32" not in out


def test_a_precision_the_bundle_lacks_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(write_bundle(tmp_path / "b")), "--precision", "int8"]) == 2
    assert "no int8 graph; it has fp32" in capsys.readouterr().err


def test_a_tampered_bundle_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    graph = bundle / "depth.fp32.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    assert main(["verify", str(bundle)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "sha256 differs" in err
