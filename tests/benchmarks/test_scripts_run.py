"""The scripts that made the docs' figures run to their end on little, or say their help where they take long."""

import json
import platform
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

import runs
from benchmarks.scripts import EXPERIMENTS, run_script
from browsers import CHROMIUM
from bundles import write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.cli import main
from clips import room_frames, write_clip

RESULTS = EXPERIMENTS.parent / "results"
DOCS = EXPERIMENTS.parents[1] / "docs"
LONG = (
    "archive/alternatives.py",
    "archive/ray_memory.py",
    "archive/stages.py",
    "archive/throughput.py",
    "arm/emulated.py",
    "edge/latency.py",
    "edge/passes.py",
    "edge/train.py",
    "export_table.py",
    "loader.py",
    "nyu/experiments.py",
    "nyu/report.py",
    "nyu/sweep.py",
    "nyu/taught.py",
    "placers.py",
    "runtime/faults.py",
    "runtime/installed.py",
)
"""What takes minutes, a network, Ray's cluster or a GPU; `nyu/report.py`, `nyu/sweep.py` have tests of their own."""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A tiny bundle."""
    return write_bundle(tmp_path / "tiny.bundle")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten frames."""
    return write_clip(tmp_path / "clip.mp4", room_frames(1, 10))


def rows(text: str) -> list[list[str]]:
    """The rows of Markdown tables, without their headings' lines."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_script_is_tried_here() -> None:
    tried = Path(__file__).read_text(encoding="utf-8")
    scripts = [path for path in EXPERIMENTS.rglob("*.py") if "__main__" in path.read_text(encoding="utf-8")]
    names = [path.relative_to(EXPERIMENTS).as_posix() for path in scripts]
    assert len(names) > 15
    assert [name for name in names if f'"{name}"' not in tried] == []


@pytest.mark.parametrize("script", LONG)
def test_a_long_script_says_its_help(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if script.startswith("archive"):
        pytest.importorskip("ray", reason="needs Ray, clipdepth[cluster]")
    with pytest.raises(SystemExit) as ended:
        run_script(monkeypatch, script, "--help")
    assert ended.value.code == 0
    assert "--" in capsys.readouterr().out


def test_novelty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The bundle's novelty is a picture's brightness, in hundreds: dark pictures come last, bright ones first."""
    made, data = write_bundle(tmp_path / "b", kind="disparity", confident=True), tmp_path / "data"
    runs.write_rgbd_folder(data, train=2, test=3)
    run_script(monkeypatch, "novelty.py", made, "--data", data, "--like", data, "--most", 2)
    heading, tests, *others = rows(capsys.readouterr().out)
    assert heading[-1] == "AUROC"
    assert tests[:2] == ["test frames", "3"]
    told = {name: [float(value.strip("%")) for value in values] for name, *values in others}
    assert told["lens cap"][2:] == [0, 0]
    assert told["noise"][1] == pytest.approx(1.275, abs=0.05)
    assert told["noise"][2] == 100
    bright = next(values for name, values in told.items() if name.startswith("overexposed"))
    assert bright[2:] == [100, 1]
    assert [values[0] for values in told.values()] == [2] * len(others)


def test_the_sheet_of_confidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four rows: depth in colours, and in grey how sure it is and where it is right."""
    made, data = write_bundle(tmp_path / "b", confident=True), tmp_path / "data"
    runs.write_rgbd_folder(data, train=2, test=2)
    run_script(monkeypatch, "nyu/confidence_sheet.py", made, "--data", data, "--frames", 2, "--out", tmp_path / "x.jpg")
    sheet = cv2.imread(str(tmp_path / "x.jpg"))
    assert sheet is not None
    assert sheet.shape[1] == 1600
    parts = np.array_split(sheet[:, :1400].astype(np.float32), 4)
    spread = [float(np.ptp(row, axis=2).mean()) for row in parts]
    assert spread[1] > 20, "depth is in colours"
    assert max(spread[2:]) < 5, "confidence is grey"


def test_two_bundles(bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_script(
        monkeypatch, "runtime/two_bundles.py", bundle, bundle, "--engine", "onnxruntime", "--rounds", 3, "--frames", 2
    )
    heading, row = rows(capsys.readouterr().out)
    assert heading[1] == "×"
    ratio, low, high = (float(part) for part in row[1].replace("(", "").replace(")", "").split() if part != "to")
    assert row[0] == "onnxruntime fp32"
    assert low <= ratio <= high
    assert float(row[2]) > 0


def test_smoothing(bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_script(monkeypatch, "smoothing.py", "--bundle", bundle, "--frames", 2, "--rooms", 1)
    _, plain, average, ours = rows(capsys.readouterr().out)
    assert [plain[0], ours[0]] == ["none", "clipdepth.pipeline.smoothing"]
    assert float(ours[1]) < float(plain[1]), "it flickers less"
    assert float(ours[3]) < float(average[3]), "and lags less than an average"


def test_overhead(
    bundle: Path, video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--video", video, "--engines", "onnxruntime", "--frames", 4, "--rounds", 1)
    run_script(monkeypatch, "runtime/overhead.py", bundle, *options)
    _, live, file = rows(capsys.readouterr().out)
    assert (live[:2], file[:2]) == (["onnxruntime fp32", "live"], ["onnxruntime fp32", "file"])


def test_startup(
    bundle: Path, video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--video", video, "--engines", "onnxruntime", "--runs", 1)
    run_script(monkeypatch, "runtime/startup.py", bundle, *options)
    _, (engine, seconds, _, _, count) = rows(capsys.readouterr().out)
    assert (engine, count) == ("onnxruntime", "1")
    assert float(seconds) > 0.05


def test_serving(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "batches.bundle", max_batch=4)
    options = ("--video", video, "--clients", 2, "--seconds", 0.5, "--rounds", 1)
    run_script(monkeypatch, "runtime/serving.py", bundle, *options)
    _, *found = rows(capsys.readouterr().out)
    assert [(row[0].partition(" ")[2], row[1]) for row in found] == [
        ("JPEG, PNG", "4"),
        ("JPEG, NPY", "4"),
        ("raw, NPY", "4"),
    ]
    for row in found:
        assert float(row[3]) > 1
        assert row[4].endswith("%")


def test_the_viewers_cloud(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian: the packages of tests/debian.txt)")
    run_script(monkeypatch, "runtime/cloud.py", "--minutes", 0.05, "--seconds", 0.5, "--rounds", 1)
    out = capsys.readouterr().out
    assert "76800" in out.replace(",", "")


@pytest.mark.parametrize("camera", [(), ("--rtsp", "--fps", 30)], ids=["camera", "rtsp"])
def test_staleness(
    camera: tuple[object, ...],
    bundle: Path,
    video: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--video", video, "--minutes", 0.02, "--engine-ms", 20)
    run_script(monkeypatch, "runtime/staleness.py", bundle, *options, *camera)
    printed = capsys.readouterr().out
    assert float(rows(printed)[1][1]) >= 20, "no depth is younger than its engine takes"
    assert "clipdepth: " in printed


def test_picture_memory(bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_script(monkeypatch, "runtime/picture_memory.py", bundle, "--size", "3000x2000")
    _, *outputs = rows(capsys.readouterr().out)
    assert [output[0] for output in outputs] == ["16-bit PNG", ".npz", ".ply", ".mp4"]
    for kind, small, large, pictures, _ in outputs:
        assert 50 < float(small) < float(large)
        # An encoder of video has memory of its own, whatever a large picture takes.
        assert float(pictures) < (25 if kind == ".mp4" else 6), "a few times the picture"


def test_viewers(
    bundle: Path, video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--video", video, "--seconds", 0.3, "--rounds", 1)
    run_script(monkeypatch, "runtime/viewers.py", bundle, *options)
    _, nobody, *others = rows(capsys.readouterr().out)
    assert float(nobody[4]) == 0
    assert len(others) == 3
    assert all(float(row[4]) > 0 for row in others), "each viewer saw frames"


def test_memory(bundle: Path, video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_script(monkeypatch, "runtime/memory.py", bundle, "--video", video, "--frames", 200, "--fps", 50)
    assert "200 depths by onnxruntime, 2 threads" in capsys.readouterr().out


def test_training_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    little = ("--recipe", "edge-nyu", "--size", "64x64", "--precision", "no", "--batch", 1, "--steps", 1)
    run_script(monkeypatch, "training_step.py", *little, "--device", "cpu", "--out", tmp_path / "steps.json")
    assert capsys.readouterr().out.startswith("edge-nyu 64×64 fp32, batch 1, CPU: p50 ")
    assert (tmp_path / "steps.json").is_file()


def test_openvino_joins_unsigned_numbers_as_it_should(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rule of docs/export.md: the Q/DQ pairs at a concat are uint8. Signed ones show what it is for."""
    run_script(monkeypatch, "openvino_concat.py")
    _, *cases = rows(capsys.readouterr().out)
    off = {name: (float(ours), float(theirs)) for name, ours, theirs, _ in cases}
    assert len(off) == 8
    assert {precision for *_, precision in cases} == {"I8"}, "each convolution runs in int8"
    assert all(ours < 1e-5 for ours, _ in off.values()), "the graphs are right"
    kept = {name: theirs for name, (_, theirs) in off.items() if "uint8" in name or "no concat" in name}
    assert len(kept) == 5
    assert all(theirs < 1e-5 for theirs in kept.values())
    broken = {name: theirs for name, (_, theirs) in off.items() if name not in kept}
    assert all(theirs > 1 for theirs in broken.values()), "OpenVINO is mended: docs/export.md needs no rule any more"


def test_what_runs_on_an_emulated_machine_runs_here(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = open_bundle(bundle).golden()
    np.save(tmp_path / "frames.npy", golden.frames)
    run_script(
        monkeypatch,
        "arm/session.py",
        bundle / "depth.fp32.onnx",
        tmp_path / "frames.npy",
        tmp_path / "depth.npy",
    )
    np.testing.assert_allclose(np.load(tmp_path / "depth.npy"), golden.depth, rtol=1e-4)
    said = json.loads(capsys.readouterr().out)
    assert said["machine"] == platform.machine()
    nodes = Counter(node.op_type for node in onnx.load(bundle / "depth.fp32.onnx").graph.node)
    assert said["ran"] == dict(nodes), "this graph has nothing to fuse"


def test_the_table_of_a_million_hours_is_the_docs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_script(monkeypatch, "archive/hours.py", RESULTS / "archive")
    printed = rows(capsys.readouterr().out)
    assert len(printed) > 5
    page = rows((DOCS / "archive.md").read_text(encoding="utf-8"))
    assert [row for row in printed if row not in page] == []


def test_the_table_of_edges_experiments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_script(monkeypatch, "edge/table.py", RESULTS / "edge")
    table = {row[0]: row for row in rows(capsys.readouterr().out)}
    page = (DOCS / "edge.md").read_text(encoding="utf-8")
    for name, tells in (("`long`", "20 epochs for 8"), ("`whole`", "the trunk on the whole picture, no detail")):
        rel, delta1 = table[name][2:4]
        assert f"| {tells} | {rel} | {delta1} |" in page


def test_cameras_of_a_network_that_knows_no_focal_length(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny bundle answers brightness: depth is right for the whole frame, and off by its zoom for a zoomed one."""
    data = tmp_path / "data"
    (data / "test").mkdir(parents=True)
    shade = np.tile(np.linspace(60, 180, 640), (480, 1)).astype(np.uint8)
    cv2.imwrite(str(data / "test/rgb_0.png"), np.dstack([shade] * 3))
    cv2.imwrite(str(data / "test/sync_depth_0.png"), (1000 * (0.5 + shade / 255 * 5)).astype(np.uint16))
    (data / "K.txt").write_text("576 0 319.5\n0 576 239.5\n0 0 1\n")  # the bundle's own, at 640 pixels
    run_script(
        monkeypatch, "cameras.py", str(bundle), "--data", str(data), "--engine", "onnxruntime", "--out", str(tmp_path)
    )
    fitted = {row[0]: row[2].split(", ") for row in rows(capsys.readouterr().out)[1:]}
    ratios = {kind: float(cells[2]) for kind, cells in fitted.items()}
    zooms = {"× 0.75": 0.75, "× 1.25": 1.25, "× 1.5": 1.5}
    assert ratios == pytest.approx({"4:3": 1, "16:9": 1, "1:1": 1, "3:4": 1, "9:16": 1, **zooms}, abs=0.011)
    assert float(fitted["9:16"][0]) < 0.01
    assert float(fitted["× 1.5"][0]) == pytest.approx(0.5, abs=0.01)


def test_cameras_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole frame's depth is what `clipdepth evaluate` measures."""
    data = runs.write_rgbd_folder(tmp_path / "data", train=4, test=3)
    run = runs.train_tiny_run(tmp_path / "run", data)
    assert main(["evaluate", str(run), "--data", str(data), "--json", str(tmp_path / "evaluation.json")]) == 0
    capsys.readouterr()
    run_script(monkeypatch, "cameras.py", str(run), "--data", str(data), "--out", str(tmp_path))
    kind, whole, fitted = rows(capsys.readouterr().out)[1]
    metrics = json.loads((tmp_path / "evaluation.json").read_text())["metrics"]["run"]
    assert (kind, whole) == ("4:3", fitted)
    assert [float(cell) for cell in fitted.split(", ")[:2]] == pytest.approx(
        [metrics["rel"], metrics["delta1"]], abs=6e-4
    )


def test_a_soup_has_the_mean_of_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two seeds' weights, read by safetensors itself; it is a run like any other."""
    data = runs.write_rgbd_folder(tmp_path / "data")
    made = [runs.train_tiny_run(tmp_path / f"run{seed}", data, seed=seed) for seed in (0, 1)]
    run_script(monkeypatch, "nyu/soup.py", *made, "--out", tmp_path / "soup")
    one, two, soup = (load_file(folder / "checkpoint.safetensors") for folder in (*made, tmp_path / "soup"))
    assert one.keys() == soup.keys()
    for name, weights in soup.items():
        expected = (one[name] + two[name]) / 2 if weights.dtype.kind == "f" else two[name]
        np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-7, err_msg=name)
    assert any(not np.array_equal(one[name], two[name]) for name in one)
    assert main(["evaluate", str(tmp_path / "soup"), "--data", str(data)]) == 0
