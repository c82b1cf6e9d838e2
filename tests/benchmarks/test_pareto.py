"""Accuracy against latency: the front, a whole contest of tiny bundles, and its pages."""

import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import msgspec
import numpy as np
import pytest

from benchmarks.fakes import ENVIRONMENT, absent_row, timed_row
from benchmarks.pages import HOSTILE, Page, failed_row
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.golden import load_golden
from clipdepth.bundle.manifest import MANIFEST, InputSize
from clipdepth.bundle.metrics import DepthMetrics
from clipdepth.bundle.stored_file import stored_file
from clipdepth.errors import DataError, UsageError
from clipdepth_bench.measure.accuracy import Accuracy
from clipdepth_bench.measure.duration import Duration
from clipdepth_bench.pareto import contest
from clipdepth_bench.pareto.command import main
from clipdepth_bench.pareto.contest import own_frames
from clipdepth_bench.pareto.document import pareto_document, points_table
from clipdepth_bench.pareto.front import Cost, pareto_front
from clipdepth_bench.pareto.plot import pareto_plot, places
from clipdepth_bench.pareto.report import SCHEMA, Measured, ParetoReport, Point, read_pareto
from clipdepth_bench.report.document import text_of
from clipdepth_bench.report.html import html
from clipdepth_bench.report.markdown import markdown
from clipdepth_bench.report.record import Method, ReportError, Size
from clipdepth_export.exporter import ExportConfig, write_bundle
from clipdepth_export.sources.run import run_source

FEW = ["--rounds", "2", "--per-round", "2", "--threads", "1", "--engine", "onnxruntime"]


def dominates(one: Cost, other: Cost) -> bool:
    return one[0] <= other[0] and one[1] <= other[1] and one != other


def test_the_front_is_what_none_dominates() -> None:
    generator = np.random.default_rng(0)
    for count in [*range(8), *[20] * 40]:
        costs = [(float(x), float(y)) for x, y in generator.integers(0, 6, (count, 2))]
        front = pareto_front(costs)
        assert set(front) == {i for i, cost in enumerate(costs) if not any(dominates(other, cost) for other in costs)}
        assert len(front) == len(set(front))
        assert [costs[i][0] for i in front] == sorted(costs[i][0] for i in front)


def point(bundle: str, key: str, p50: float, rel: float, delta1: float) -> Point:
    accuracy = Accuracy(7, DepthMetrics(rel, 0.5, 0.2, 0.1, delta1, 0.9, 0.95))
    return Point(bundle, timed_row(key, [p50] * 3), accuracy)


def contest_report(*points: Point) -> ParetoReport:
    measured = Measured(Size(48, 64), "whole", 1000, {"fp32": "ab" * 32})
    names = dict.fromkeys(point.bundle for point in points)
    method = Method(3, 60.0, 0.02, points[0].key)
    bundles = dict.fromkeys(names, measured)
    return ParetoReport(SCHEMA, "rooms", 7, "all", bundles, ENVIRONMENT, method, False, [HOSTILE], list(points))


def some_report() -> ParetoReport:
    return contest_report(
        Point("a.bundle", timed_row("PyTorch eager fp32", [90.0]), None),
        point("a.bundle", "openvino fp32", 20.0, 0.10001, 0.90),
        point("a.bundle", "openvino fp16", 21.0, 0.09999, 0.91),
        point("a.bundle", "openvino int8", 10.0, 0.2, 0.80),
        point(f"{HOSTILE}.bundle", "onnxruntime fp32", 12.0, 0.3, 0.70),
        Point("a.bundle", failed_row(), None),
        Point("a.bundle", absent_row("tensorrt", "", "no GPU here"), None),
    )


def test_the_front_of_a_report() -> None:
    report = some_report()
    assert [point.key for point in report.front("rel")] == ["a openvino int8", "a openvino fp32"]
    assert [point.row.precision for point in report.front("delta1")] == ["int8", "fp32", "fp16"]


def test_what_failed_or_was_not_measured_is_no_point() -> None:
    report = some_report()
    drawn = places(report, "delta1")
    assert [(place.number, place.p50, place.value) for place in drawn] == [
        (1, 20.0, 0.90),
        (2, 21.0, 0.91),
        (3, 10.0, 0.80),
        (4, 12.0, 0.70),
    ]
    assert [place.on_front for place in drawn] == [True, True, True, False]
    assert pareto_plot(contest_report(Point("a.bundle", failed_row(), None))) is None


def test_the_plot_and_the_table_number_the_points_alike() -> None:
    report = some_report()
    figure = pareto_plot(report)
    assert figure
    (key,) = figure.legends
    names = [text.get_text() for text in key.get_texts()]
    assert names == [f"{number} {point.key}" for number, (point, _, _) in enumerate(report.measured, 1)]
    lines = points_table(report).lines
    cells = [[text_of(cell) for cell in line.cells] for line in lines]
    numbered = [f"{number} {name}" for name, number, *_ in cells if number != "–"]
    assert numbered == names
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert {"3 a openvino int8", "1 a openvino fp32", "4"} <= set(labels)


def test_what_hardly_differs_looks_near() -> None:
    near = [
        point("a.bundle", f"openvino {p}", ms, rel, 0.76) for p, ms, rel in [("fp32", 20, 0.1599), ("int8", 9, 0.16)]
    ]
    figure = pareto_plot(contest_report(*near))
    assert figure
    low, high = figure.axes[0].get_ylim()
    assert low < 0.1599 < 0.16 < high
    assert (0.16 - 0.1599) / (high - low) < 0.02


def test_its_pages_hold_all_and_name_what_failed() -> None:
    document = pareto_document(some_report())
    page = Page(html(document))
    assert page.faults == []
    assert page.failed == ["a onnxruntime int8"]
    assert {0.10001, 0.9, 20.0, 0.5, 7.0} <= page.numbers["a openvino fp32"]
    assert "no GPU here" in page.text
    assert f"{HOSTILE} onnxruntime fp32" in page.text
    tables = re.findall(r"(?:^\|.*\|\n)+", markdown(document), re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.fixture
def other(run: Path, tmp_path: Path) -> Path:
    """The tiny bundle under another name."""
    return shutil.copytree(run.with_name("tiny.bundle"), tmp_path / "other.bundle")


def edit_manifest(bundle: Path, change: Any) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def make_wrong(bundle: Path, by: float) -> None:
    """Let the golden depth differ from the graph's."""
    golden = load_golden(bundle / "golden.npz", 64, 64)
    type(golden)(golden.frames, golden.depth * np.float32(by), golden.truth).save(bundle / "golden.npz")
    stored = stored_file(bundle / "golden.npz")
    edit_manifest(bundle, lambda manifest: manifest["files"].update({"golden.npz": msgspec.to_builtins(stored)}))


def test_a_contest(run: Path, data: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([str(run.with_name("tiny.bundle")), str(other), "--data", str(data), "--out", str(out), *FEW]) == 0
    report = read_pareto(out / "pareto.json")
    keys = [point.key for point in report.points]
    assert keys == ["tiny PyTorch eager fp32", "tiny onnxruntime fp32", "other onnxruntime fp32"]
    reference, tiny, copy = report.points
    assert report.method.reference == reference.key
    assert (reference.accuracy, report.frames, report.crop) == (None, 2, "all")
    assert tiny.accuracy
    assert tiny.accuracy == copy.accuracy
    assert tiny.accuracy.frames == 2
    for found in (tiny, copy):
        assert found.row.latency_ms
        assert found.row.latency_ms.n == 4
        assert found.row.speedup
        assert found.row.speedup.p50 > 0
    assert {path.name for path in out.iterdir()} == {f"pareto.{kind}" for kind in ("json", "md", "html", "svg", "png")}
    ElementTree.parse(out / "pareto.svg")
    picture = cv2.imread(str(out / "pareto.png"))
    assert picture is not None
    assert picture.std() > 1
    printed = capsys.readouterr().out
    assert "other onnxruntime fp32" in printed
    assert f"{tiny.accuracy.metrics.rel:.4f}" in printed


def test_a_bundle_that_differs_is_failed_and_not_measured(run: Path, data: Path, other: Path, tmp_path: Path) -> None:
    make_wrong(other, 1.1)
    out = tmp_path / "out"
    assert main([str(run.with_name("tiny.bundle")), str(other), "--data", str(data), "--out", str(out), *FEW]) == 1
    failed = read_pareto(out / "pareto.json").points[-1]
    assert (failed.bundle, failed.row.status, failed.row.latency_ms, failed.accuracy) == (
        "other.bundle",
        "failed",
        None,
        None,
    )


def test_ctrl_c_keeps_what_was_measured(
    run: Path, data: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, calls = contest.measure_accuracy, []

    def interrupted(*arguments: Any) -> Accuracy:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(contest, "measure_accuracy", interrupted)
    out = tmp_path / "out"
    assert main([str(run.with_name("tiny.bundle")), str(other), "--data", str(data), "--out", str(out), *FEW]) == 130
    report = read_pareto(out / "pareto.json")
    assert report.interrupted
    assert [point.accuracy is not None for point in report.points] == [False, True, False]
    assert "interrupted" in (out / "pareto.md").read_text(encoding="utf-8")


def test_an_engine_that_breaks_is_a_note_and_takes_nothing_from_the_others(
    run: Path, data: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, calls = contest.measure_accuracy, []

    def broken(*arguments: Any) -> Accuracy:
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("out of memory\nat node 7")
        return measure(*arguments)

    monkeypatch.setattr(contest, "measure_accuracy", broken)
    out = tmp_path / "out"
    assert main([str(run.with_name("tiny.bundle")), str(other), "--data", str(data), "--out", str(out), *FEW]) == 0
    report = read_pareto(out / "pareto.json")
    assert report.notes == ["no accuracy of tiny.bundle onnxruntime fp32: out of memory"]
    assert [point.bundle for point, _, _ in report.measured] == ["other.bundle"]


def test_frames_are_evenly_spread(run: Path, data: Path, tmp_path: Path) -> None:
    out, bundle = tmp_path / "out", str(run.with_name("tiny.bundle"))
    assert main([bundle, "--data", str(data), "--out", str(out), "--frames", "1", *FEW]) == 0
    report = read_pareto(out / "pareto.json")
    assert report.frames == 1
    assert report.measured[0][2].frames == 1


def test_one_of_several_sizes_is_timed_and_measured(run: Path, data: Path, tmp_path: Path) -> None:
    """The other size's graphs, on whose pictures the accuracy is that of `clipdepth evaluate` at that size alone."""
    both, small = tmp_path / "both.bundle", tmp_path / "small.bundle"
    write_bundle(run_source(run), both, ExportConfig(other_sizes=[(32, 64)]))
    write_bundle(run_source(run, size=InputSize(32, 64)), small)
    files = open_bundle(both).manifest.files
    found = {}
    for name, bundle, options in (("first", both, []), ("second", both, ["--size", "32x64"]), ("small", small, [])):
        out = tmp_path / name
        assert main([str(bundle), "--data", str(data), "--out", str(out), *FEW, *options]) == 0
        report = read_pareto(out / "pareto.json")
        ((_, _, accuracy),) = report.measured
        found[name] = report.bundles[bundle.name], accuracy.metrics
    assert [found[name][0].input for name in found] == [Size(64, 64), Size(32, 64), Size(32, 64)]
    assert found["first"][0].graphs == {"fp32": files["depth.fp32.onnx"].sha256}
    assert found["second"][0].graphs == {"fp32": files["depth.32x64.fp32.onnx"].sha256}
    assert found["second"][1].rel == pytest.approx(found["small"][1].rel, rel=1e-4)
    assert found["second"][1].rel != pytest.approx(found["first"][1].rel, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--data", "DATA", "--crop", "eigen"], UsageError, "640×480"),
        (["--data", "NOWHERE"], DataError, "no data at"),
        (["--data", "DATA", "--size", "9x9"], UsageError, "tiny.bundle has no graph of 9×9; it has 64×64"),
        (["--data", "DATA", "AGAIN"], UsageError, "two bundles are called tiny.bundle"),
        (["--data", "DATA", "PAPER"], UsageError, "other.bundle sees the paper's crop only"),
    ],
)
def test_mistakes_are_told_before_anything_is_timed(
    run: Path, data: Path, other: Path, tmp_path: Path, options: list[str], error: type[Exception], message: str
) -> None:
    edit_manifest(other, lambda manifest: manifest["model"]["recipe"]["frames"].update(picture="paper"))
    bundle = str(run.with_name("tiny.bundle"))
    words = {"DATA": str(data), "NOWHERE": str(tmp_path / "nowhere"), "AGAIN": bundle, "PAPER": str(other)}
    arguments = [words.get(option, option) for option in options]
    with pytest.raises(error, match=re.escape(message)):
        main([bundle, *arguments[2:], *arguments[:2], "--out", str(tmp_path / "out"), *FEW])
    assert not (tmp_path / "out").exists()


def test_each_bundle_is_timed_with_its_own_frames_in_turn() -> None:
    given: list[int] = []

    def measure(frames: np.ndarray) -> Duration:
        assert frames.shape == (1, 4, 5, 3)
        given.append(int(frames[0, 0, 0, 0]))
        return Duration(0.0)

    own = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 5, 3), np.uint8)
    for _ in range(4):
        own_frames(measure, own)  # making one takes no frame
    timed = own_frames(measure, own)
    for _ in range(4):
        timed(np.zeros((1, 1, 1, 3), np.uint8))
    assert given == [0, 1, 2, 0]


def test_a_report_of_another_schema_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "pareto.json").write_text('{"schema": 99}')
    with pytest.raises(ReportError, match=r"pareto\.json has schema 99.*clipdepth bench pareto"):
        read_pareto(tmp_path / "pareto.json")
    with pytest.raises(ReportError, match="cannot be read"):
        read_pareto(tmp_path / "nowhere.json")
