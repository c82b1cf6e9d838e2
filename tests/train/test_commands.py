"""`clipdepth train` and `clipdepth evaluate` on small real runs, from their arguments to what they print."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import runs
from clipdepth.bundle.metrics import METRIC_NAMES
from clipdepth.cli import main
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.layout import write_depth
from clipdepth_train.data.loader import open_set
from clipdepth_train.evaluation import constant_median
from clipdepth_train.recipe import DataConfig
from tiny_clip import TINY_CLIP

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_rgbd_folder(tmp_path_factory.mktemp("data"), train=4, test=2)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.train_tiny_run(tmp_path_factory.mktemp("runs") / "tiny", data)


@pytest.fixture(scope="module")
def nyu_sized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 640×480 pictures."""
    return runs.write_rgbd_folder(tmp_path_factory.mktemp("nyu"), train=1, test=1, height=480, width=640)


def evaluated(run: Path, *options: str) -> dict[str, Any]:
    """What `clipdepth evaluate` writes as JSON."""
    file = run.parent / "evaluation.json"
    assert main(["evaluate", str(run), "--json", str(file), *options]) == 0
    report: dict[str, Any] = json.loads(file.read_text())
    return report


def failed(capsys: Captured, status: int, arguments: Sequence[str]) -> str:
    """The one line that a command fails with."""
    assert main(arguments) == status
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("clipdepth: error: ")]
    assert out == ""
    assert len(lines) == 1
    assert "Traceback" not in err
    return lines[0]


def test_evaluating_gives_again_what_training_measured(run: Path, data: Path, capsys: Captured) -> None:
    report = evaluated(run)
    trained = json.loads((run / "metrics.json").read_text())
    assert report["metrics"].keys() == {"tiny"}
    assert report["metrics"]["tiny"] == pytest.approx(trained["metrics"])
    assert {k: v for k, v in report.items() if k != "metrics"} == {
        "data": str(data),
        "split": "test",
        "frames": 2,
        "crop": "all",
        "max_depth": 10.0,
        "align": "none",
        "kind": "metric",
        "picture": "whole",
        "engine": "pytorch",
        "precision": "fp32",
        "mirrored": False,
    }
    out = capsys.readouterr().out
    assert "nothing aligned, pytorch fp32, single pass" in " ".join(out.split())
    row = next(line for line in out.splitlines() if "tiny" in line and "│" in line)
    shown = [float(cell) for cell in row.split("│")[2:-1]]
    assert shown == pytest.approx([trained["metrics"][name] for name in METRIC_NAMES], abs=5.1e-4)


def test_another_cameras_depth_is_of_its_own_focal_length(run: Path, data: Path, tmp_path: Path) -> None:
    """A camera of 1.25 times the focal length sees the same picture where everything is 1.25 times as far away."""
    longer = tmp_path / "longer"
    shutil.copytree(data, longer)
    matrix = np.loadtxt(data / "K.txt")
    np.savetxt(longer / "K.txt", matrix * [[1.25, 1, 1], [1, 1.25, 1], [1, 1, 1]])
    focal = f" {matrix[0, 0]:g}"
    told = (data / "test.txt").read_text()
    assert focal in told
    (longer / "test.txt").write_text(told.replace(focal, f" {1.25 * matrix[0, 0]:g}"))
    for file in longer.rglob("sync_depth_*.png"):
        depth = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(file), np.rint(depth * 1.25).astype(np.uint16))
    options = ("--max-depth", "40", "--data")
    near, far = (evaluated(run, *options, str(folder))["metrics"]["tiny"] for folder in (data, longer))
    assert far["rel"] == pytest.approx(near["rel"], rel=2e-3)
    assert far["rmse"] == pytest.approx(1.25 * near["rmse"], rel=2e-3)


def test_the_baseline_is_the_median_of_the_training_depth(run: Path, data: Path) -> None:
    report = evaluated(run, "--baseline")
    assert list(report["metrics"]) == ["tiny", "constant median"]
    train, test = (FolderSet(data, split, 1000.0, 10.0) for split in ("train", "test"))
    median = float(constant_median(train)(test[0])[0, 0])
    errors = [np.abs(median - test[i].depth) / test[i].depth for i in range(2)]
    assert report["metrics"]["constant median"]["rel"] == pytest.approx(float(np.mean(errors)), rel=1e-5)


def test_the_training_split_can_be_measured(run: Path) -> None:
    report = evaluated(run, "--split", "train")
    assert (report["split"], report["frames"]) == ("train", 4)
    assert report["metrics"] != evaluated(run)["metrics"]


def test_depth_can_be_aligned(run: Path, data: Path, capsys: Captured) -> None:
    plain, aligned = evaluated(run, "--baseline"), evaluated(run, "--baseline", "--align", "median")
    assert "each image scaled to its true median" in " ".join(capsys.readouterr().out.split())
    assert (plain["align"], aligned["align"]) == ("none", "median")
    # The constant median, scaled, is each picture's own.
    tests = FolderSet(data, "test", 1000.0, 10.0)
    true = [tests[i].depth for i in range(2)]
    own = [np.mean(np.abs(np.median(depth) - depth) / depth) for depth in true]
    assert aligned["metrics"]["constant median"]["rel"] == pytest.approx(float(np.mean(own)), rel=1e-5)
    assert aligned["metrics"]["tiny"] != plain["metrics"]["tiny"]


def test_the_metrics_of_each_picture(run: Path, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "frames.json"
    report = evaluated(run, "--baseline", "--frames-json", str(file))
    frames = json.loads(file.read_text())
    assert {**frames, "metrics": None} == {**report, "metrics": None}
    assert list(frames["metrics"]) == ["tiny", "constant median"]
    for name, pictures in frames["metrics"].items():
        names = [Path(each["picture"]).relative_to(data).as_posix() for each in pictures]
        assert names == ["test/room_1/rgb_00000.jpg", "test/room_1/rgb_00001.jpg"]
        assert [each["index"] for each in pictures] == [0, 1]
        for metric in METRIC_NAMES:
            mean = np.mean([each[metric] for each in pictures])
            assert report["metrics"][name][metric] == pytest.approx(float(mean))


def test_rendered_frames_have_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth_train.data.rooms.TEST_ROOMS", 1)
    run = runs.train_tiny_run(tmp_path / "rendered", "rooms", epochs=0)
    file = tmp_path / "frames.json"
    evaluated(run, "--frames-json", str(file))
    frames = json.loads(file.read_text())["metrics"]["rendered"]
    assert [(each["index"], each["picture"]) for each in frames] == [(index, None) for index in range(10)]


def test_an_engine_for_a_run_is_misuse(run: Path, capsys: Captured) -> None:
    for option, value in (("--engine", "onnxruntime"), ("--precision", "fp16")):
        error = failed(capsys, 2, ["evaluate", str(run), option, value])
        assert f"--engine, --precision and --device are for bundles and {run} is none" in error


def test_mirroring_can_be_switched(run: Path, data: Path, capsys: Captured) -> None:
    once, both = evaluated(run), evaluated(run, "--mirror")
    assert both["mirrored"]
    assert both["metrics"]["tiny"] != once["metrics"]["tiny"]
    assert "mirrored average" in " ".join(capsys.readouterr().out.split())
    assert evaluated(run, "--no-mirror") == once


def test_a_run_trained_with_the_mirror_is_evaluated_with_it(data: Path, tmp_path: Path) -> None:
    run = runs.train_tiny_run(tmp_path / "mirrored", data, mirror=True)
    trained = json.loads((run / "metrics.json").read_text())["metrics"]
    assert evaluated(run)["mirrored"]
    assert evaluated(run)["metrics"]["mirrored"] == pytest.approx(trained)
    assert evaluated(run, "--no-mirror")["metrics"]["mirrored"] != pytest.approx(trained)


def test_crops_of_nyus_pictures(run: Path, nyu_sized: Path, capsys: Captured) -> None:
    reports = {crop: evaluated(run, "--data", str(nyu_sized), "--crop", crop) for crop in ("all", "eigen", "paper")}
    assert {crop: report["crop"] for crop, report in reports.items()} == {c: c for c in reports}
    assert len({report["metrics"]["tiny"]["rmse"] for report in reports.values()}) == 3
    assert "crop: eigen" in " ".join(capsys.readouterr().out.split())


def test_the_range_that_counts_can_be_told(run: Path, nyu_sized: Path) -> None:
    depth = open_set(str(nyu_sized), "test", DataConfig())[0].depth
    near = float(np.median(depth))
    trained = evaluated(run, "--data", str(nyu_sized))
    report = evaluated(run, "--data", str(nyu_sized), "--max-depth", str(near), "--baseline")
    assert (trained["max_depth"], report["max_depth"]) == (10.0, near)
    true = depth[depth < near].astype(np.float64)
    # The constant median of the training depth, clamped.
    known = open_set(str(nyu_sized), "train", DataConfig(max_depth=near))[0].depth[::8, ::8]
    constant = min(float(np.median(known[known > 0])), near)
    expected = np.mean(np.abs(constant - true) / true)
    assert report["metrics"]["constant median"]["rel"] == pytest.approx(float(expected), rel=1e-3)


def test_a_run_on_the_papers_pictures(nyu_sized: Path, tmp_path: Path) -> None:
    frames = DataConfig(64, 96, "paper", workers=0)
    run = runs.train_tiny_run(tmp_path / "paper", nyu_sized, frames=frames, batch_size=1)
    report = evaluated(run, "--crop", "paper")
    assert report["picture"] == "paper"
    # All that the model sees is the paper's crop.
    assert report["metrics"] == evaluated(run)["metrics"]
    assert report["metrics"] != evaluated(run, "--crop", "eigen")["metrics"]


def test_a_crop_of_other_pictures_is_misuse(run: Path, capsys: Captured) -> None:
    error = failed(capsys, 2, ["evaluate", str(run), "--crop", "eigen"])
    assert "these are 64×64" in error
    assert "--crop all" in error


def test_a_run_that_is_not_there(tmp_path: Path, capsys: Captured) -> None:
    error = failed(capsys, 1, ["evaluate", str(tmp_path / "absent")])
    assert f"no checkpoint.safetensors in {tmp_path}/absent; train it with 'clipdepth train" in error
    assert "no run or bundle at absent-model; " in failed(capsys, 1, ["evaluate", "absent-model"])


def test_a_damaged_run(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"garbage" * 99)
    assert "is damaged" in failed(capsys, 1, ["evaluate", str(tmp_path)])


def test_data_that_is_not_there(run: Path, tmp_path: Path, capsys: Captured) -> None:
    error = failed(capsys, 1, ["evaluate", str(run), "--data", str(tmp_path / "absent")])
    assert f"no data at {tmp_path}/absent" in error


def test_data_without_depth(run: Path, data: Path, tmp_path: Path, capsys: Captured) -> None:
    folder = runs.write_rgbd_folder(tmp_path, 1, 1)
    nothing = FolderSet(folder, "test", 1000.0, 10.0)[0].depth * 0
    write_depth(folder / "test/room_1/sync_depth_00000.png", nothing)
    assert "no image has a pixel with known depth" in failed(capsys, 1, ["evaluate", str(run), "--data", str(folder)])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["run", "--crop", "centre"],
        ["run", "--mirror", "--no-mirror"],
        ["run", "--split", "val"],
        ["run", "--align", "mean"],
    ],
)
def test_misuse_is_one_line_and_2(capsys: Captured, arguments: list[str]) -> None:
    assert "see 'clipdepth evaluate --help'" in failed(capsys, 2, ["evaluate", *arguments])


def test_train_fits_prints_a_table_and_a_second_time_says_that_it_is_done(
    data: Path, tmp_path: Path, capsys: Captured
) -> None:
    command = f"""train edge --data {data} --out {tmp_path}/mine --epochs 1 --batch-size 2 --frames.height 64
        --frames.width 64 --frames.workers 0 --model.trunk.name {TINY_CLIP} --model.trunk.weights none
        --model.width 8 --model.bins 8""".split()
    assert main(command) == 0
    out, err = capsys.readouterr()
    metrics = json.loads((tmp_path / "mine/metrics.json").read_text())["metrics"]
    assert f"{metrics['rel']:.3f}" in out
    assert "mine" in out
    assert "epoch 1: rel" in err
    assert main(command) == 0
    again, err = capsys.readouterr()
    assert again == out
    assert "is trained already" in " ".join(err.split())
    assert "--out" in failed(capsys, 2, [*command, "--seed", "1"])


@pytest.mark.parametrize(
    ("options", "others"),
    [
        ("", [[192, 320], [320, 240], [320, 192]]),
        ("--frames.height 64 --frames.width 96", []),
        ("--frames.height 64 --frames.width 96 --frames.other-sizes 96 64", [[96, 64]]),
        ("--frames.other-sizes 96 64", [[96, 64]]),
    ],
)
def test_a_recipes_other_sizes_go_with_its_first_one(
    data: Path, tmp_path: Path, capsys: Captured, options: str, others: list[list[int]]
) -> None:
    command = f"""train edge-nyu --data {data} --out {tmp_path}/run --epochs 0 --batch-size 2 --frames.workers 0
        --model.trunk.name {TINY_CLIP} --model.trunk.weights none --model.width 8 --model.bins 8 {options}"""
    assert main(command.split()) == 0
    assert json.loads((tmp_path / "run/metrics.json").read_text())["recipe"]["frames"]["other_sizes"] == others
    left_out = "other sizes go with 240×320" in " ".join(capsys.readouterr().err.split())
    assert left_out == (not others)


def test_train_on_data_that_is_not_there(tmp_path: Path, capsys: Captured) -> None:
    error = failed(capsys, 1, ["train", "edge", "--data", str(tmp_path / "absent"), "--out", str(tmp_path / "run")])
    assert f"no data at {tmp_path}/absent; give a folder of RGB-D pairs, or 'rooms'" in error
    assert not (tmp_path / "run").exists()
