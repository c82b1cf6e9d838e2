"""`clipdepth models` on boxes that the tests write."""

import json
import math
from pathlib import Path

import msgspec
import pytest

from bundles import write_bundle
from clipdepth.bundle.manifest import Accuracy, StatedConfidence
from clipdepth.bundle.metrics import DepthMetrics
from clipdepth.cli.models import main

PLAIN = Accuracy("nyu", "test", 327, "eigen", False, DepthMetrics(0.1581, 0.561, 0.2, 0.068, 0.7714, 0.95, 0.99))
ALIGNED = Accuracy(
    "nyu", "test", 327, "eigen", False, DepthMetrics(0.141, 0.5, 0.2, 0.06, 0.8423, 0.96, 0.99), "median"
)
OTHER = Accuracy("kitchen", "test", 60, "all", True, DepthMetrics(0.1, 0.5, 0.2, 0.06, 0.8889, 0.96, 0.99), "median")


@pytest.fixture
def box(tmp_path: Path) -> Path:
    box = tmp_path / "box"
    precisions = ("fp32", "int8")
    write_bundle(box / "edge", precisions=precisions, weights=b"w" * 1_500_000, accuracy=(OTHER, PLAIN, ALIGNED))
    write_bundle(box / "plain")
    return box


@pytest.mark.parametrize("columns", [80, 120])
def test_a_row_for_each_model(
    box: Path, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main([], box) == 0
    out = capsys.readouterr().out
    lines = [line.rstrip() for line in out.splitlines()]
    assert max(map(len, lines)) <= columns
    heading, edge, plain = (line.split() for line in lines[:3])
    assert heading == ["model", "input", "weights", "GFLOP", "MB", "rel", "↓", "δ1", "↑", "aligned", "precisions"]
    assert edge[:2] == ["edge", "48×64"]
    # Of the same frames only: the kitchen's aligned δ1 is another thing.
    assert edge[6:] == ["0.158", "0.771", "0.842", "fp32,", "int8"]
    assert plain[6:] == ["-", "-", "-", "fp32"]
    assert "nyu (test), 327 frames, Eigen's crop, one pass: rel 0.158, δ1 0.771" in " ".join(out.split())
    assert "kitchen (test), 60 frames, all pixels, mirrored average, median aligned: rel 0.100" in " ".join(out.split())
    assert "58 px focal length at 48×64, 58° across" in " ".join(out.split())
    assert out.count("graph: MIT") == 2


def test_what_confidence_is_worth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sure = msgspec.structs.replace(PLAIN, confidence=StatedConfidence(0.4, 0.391, 0.914, -0.096))
    write_bundle(tmp_path / "sure", accuracy=[sure], confident=True)
    assert main([], tmp_path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "39.1% of the pixels are within 10% of the truth, 40.0% by their confidence; the interval of 90%" in out
    assert "holds 91.4%; without the least sure fifth rel changes by -9.6%" in out


def test_its_json(box: Path, tmp_path: Path) -> None:
    assert main(["--json", str(tmp_path / "m.json")], box) == 0
    edge, plain = json.loads((tmp_path / "m.json").read_text())["models"]
    assert (edge["name"], plain["name"]) == ("edge", "plain")
    assert edge["path"] == str(box / "edge")
    assert (edge["input"]["height"], edge["input"]["width"]) == (48, 64)
    assert edge["precisions"] == ["fp32", "int8"]
    assert [found["data"] for found in edge["accuracy"]] == ["kitchen", "nyu", "nyu"]
    assert edge["accuracy"][2]["metrics"]["delta1"] == 0.8423
    sizes = [file.stat().st_size for file in (box / "edge").iterdir() if file.name != "manifest.json"]
    assert edge["megabytes"] == pytest.approx(sum(sizes) / 1e6)
    assert edge["camera"]["fx"] == pytest.approx(57.6)
    assert math.tan(math.radians(edge["camera"]["fov"] / 2)) == pytest.approx(32 / 57.6)
    assert (edge["weights"], plain["weights"]) == (True, False)


def test_all_sizes_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bundle(tmp_path / "box/sizes", other_sizes=[(36, 64), (64, 48)])
    assert main(["--json", str(tmp_path / "m.json")], tmp_path / "box") == 0
    out = capsys.readouterr().out
    assert "48×64 +2" in out
    assert "48×64, 36×64, 64×48; GFLOP of the first" in " ".join(out.split())
    (model,) = json.loads((tmp_path / "m.json").read_text())["models"]
    assert [(of["height"], of["width"]) for of in model["other_inputs"]] == [(36, 64), (64, 48)]


def test_an_empty_box_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", str(tmp_path / "m.json")], tmp_path / "box") == 0
    out = capsys.readouterr().out
    assert out.startswith("no model ships with this clipdepth")
    assert out.count("\n") == 1
    assert json.loads((tmp_path / "m.json").read_text()) == {"models": []}
