"""A bundle that was exported with looser limits on purpose: usable, and every verdict says so."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.cli import main
from clipdepth.cli.models import main as models

LOOSER = "limits looser than fp32's own: mean 0.0008 instead of 0.0001"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Its depth is 0.05% too far: more than fp32 may differ, less than this export allows."""
    return write_bundle(tmp_path / "box" / "loose", 24, 32, wrong_by=1.0005, tolerance=8e-4)


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    out, err = capsys.readouterr()
    return " ".join(out.split()), " ".join(err.split())


def test_verify(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(bundle), "--json", str(tmp_path / "v.json")]) == 0
    out, _ = said(capsys)
    assert "agrees, looser" in out
    assert LOOSER in out
    (graph,) = json.loads((tmp_path / "v.json").read_text())["graphs"]
    assert (graph["passed"], graph["looser_limits"]) == (True, LOOSER)


@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
def test_run(bundle: Path, engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), np.full((24, 32, 3), 128, np.uint8))
    arguments = ["run", str(bundle), "--source", str(tmp_path / "p.png"), "--engine", engine]
    for _ in range(2):  # auto remembers the second time
        assert main([*arguments, "--json", str(tmp_path / "r.json")]) == 0
        out, err = said(capsys)
        assert f"(tolerance 0.0008 on the mean), by {LOOSER}" in out
        assert LOOSER in err, "before the first frame too"
        assert json.loads((tmp_path / "r.json").read_text())["looser_limits"] == LOOSER


def test_doctor(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(bundle), "--json", str(tmp_path / "d.json")]) == 0
    assert f"a frame; fp32 by {LOOSER}" in said(capsys)[0]
    engine = json.loads((tmp_path / "d.json").read_text())["engines"][0]
    assert engine["trials"][0]["looser_limits"] == LOOSER


def test_models(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bundle(bundle.parent / "strict")
    assert models(["--json", str(tmp_path / "m.json")], bundle.parent) == 0
    assert said(capsys)[0].count(LOOSER) == 1
    loose, strict = json.loads((tmp_path / "m.json").read_text())["models"]
    assert (loose["looser_limits"], strict["looser_limits"]) == ({"fp32": LOOSER}, {})


def test_a_manifest_that_lifts_the_gate_is_refused_in_a_line(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"mean": 0.0008', '"mean": 1e9'))
    assert main(["verify", str(bundle)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "mean 1e+09 is beyond 0.001, 10 times what fp32 may differ by" in err
