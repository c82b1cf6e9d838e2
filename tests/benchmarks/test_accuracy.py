"""One accuracy, however it is asked for: of a run, of its bundle, or in `clipdepth bench pareto`."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import MANIFEST
from clipdepth.cli import main
from clipdepth.errors import CheckpointError, DataError
from clipdepth_bench.contender import ContenderEngine
from clipdepth_bench.measure.accuracy import measure_accuracy
from clipdepth_bench.pareto.command import main as pareto
from clipdepth_bench.pareto.contest import prepare
from clipdepth_bench.pareto.report import read_pareto
from clipdepth_train.candidate import bundle_frames, bundle_predictor
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.evaluation import Crop
from runs import write_rgbd_folder

FEW = ["--rounds", "1", "--per-round", "1", "--threads", "1"]
OTHER_SIZE = (80, 104)
"""Larger than the tiny model's input in both directions, and of another aspect."""


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that have to be resized, two to test on."""
    return write_rgbd_folder(tmp_path_factory.mktemp("larger"), 1, 2, *OTHER_SIZE)


@pytest.fixture(scope="module")
def kinect(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 640×480, for which the paper's crop is defined."""
    return write_rgbd_folder(tmp_path_factory.mktemp("kinect"), 1, 1, 480, 640)


def bundle_of(run: Path) -> Bundle:
    return open_bundle(run.with_name("tiny.bundle"))


def evaluated(model: Path, data: Path, *options: str) -> dict[str, Any]:
    """What `clipdepth evaluate` writes as JSON, its metrics those of the model."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "evaluation.json"
        assert main(["evaluate", str(model), "--data", str(data), "--json", str(file), *options]) == 0
        report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return {**report, "metrics": report["metrics"][model.name]}


@pytest.mark.parametrize(
    ("folder", "crop", "frames"), [("larger", "all", 2), ("kinect", "eigen", 1), ("kinect", "paper", 1)]
)
def test_the_run_its_bundle_and_pareto_measure_the_same(
    run: Path, folder: str, crop: Crop, frames: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data, bundle = request.getfixturevalue(folder), run.with_name("tiny.bundle")
    options = ["--data", str(data), "--crop", crop]
    assert pareto([str(bundle), *options, "--out", str(tmp_path), "--engine", "onnxruntime", *FEW]) == 0
    ((_, _, found),) = read_pareto(tmp_path / "pareto.json").measured
    of_run, of_bundle = (evaluated(model, data, "--crop", crop) for model in (run, bundle))
    assert found.frames == of_run["frames"] == of_bundle["frames"] == frames
    assert asdict(found.metrics) == pytest.approx(of_bundle["metrics"], rel=1e-6)
    assert of_bundle["metrics"] == pytest.approx(of_run["metrics"], rel=1e-4)
    assert 0 < found.metrics.rel < 10
    same = ("data", "split", "crop", "align", "picture", "precision", "mirrored")
    assert {key: of_bundle[key] for key in same} == {key: of_run[key] for key in same}
    assert (of_run["engine"], of_bundle["engine"]) == ("pytorch", "onnxruntime")


@pytest.mark.parametrize("nearer_first", [True, False])
def test_the_same_truth_counts_for_all_bundles_of_a_contest(
    run: Path, larger: Path, tmp_path: Path, nearer_first: bool
) -> None:
    bundle = run.with_name("tiny.bundle")
    nearer = shutil.copytree(bundle, tmp_path / "nearer.bundle")
    manifest = json.loads((nearer / MANIFEST).read_text(encoding="utf-8"))
    manifest["model"]["recipe"]["frames"]["max_depth"] = 3.0
    (nearer / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    bundles = [open_bundle(each) for each in ([nearer, bundle] if nearer_first else [bundle, nearer])]
    examination = prepare(bundles, str(larger), "all", None)
    assert {seen.max_depth for seen in examination.sees.values()} == {3.0 if nearer_first else 10.0}


def test_a_bundle_is_aligned_as_its_run_is(run: Path, larger: Path) -> None:
    of_run, of_bundle = (evaluated(each, larger, "--align", "median") for each in (run, run.with_name("tiny.bundle")))
    assert of_bundle["metrics"] == pytest.approx(of_run["metrics"], rel=1e-4)
    assert of_bundle["metrics"] != pytest.approx(evaluated(run, larger)["metrics"], rel=1e-2)


def test_the_recipe_says_what_of_a_picture_a_bundle_sees(run: Path, kinect: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(run.with_name("tiny.bundle"), tmp_path / "paper.bundle")
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    manifest["model"]["recipe"]["frames"]["picture"] = "paper"
    (bundle / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    cut = evaluated(bundle, kinect)
    assert cut["picture"] == "paper"
    assert cut["metrics"] == evaluated(bundle, kinect, "--crop", "paper")["metrics"]
    assert cut["metrics"] != evaluated(run, kinect, "--crop", "paper")["metrics"]


def test_the_engine_and_the_precision_are_named(
    run: Path, larger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "half.bundle"
    assert main(["export", str(run), "--out", str(bundle), "--precision", "fp32", "fp16"]) == 0
    capsys.readouterr()
    report = evaluated(bundle, larger, "--precision", "fp16", "--engine", "onnxruntime")
    assert (report["engine"], report["precision"]) == ("onnxruntime", "fp16")
    assert "onnxruntime fp16, single pass" in " ".join(capsys.readouterr().out.split())
    assert report["metrics"] == pytest.approx(evaluated(run, larger)["metrics"], rel=5e-2)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--mirror"], 2, "--mirror is for runs: the graphs of BUNDLE make one pass"),
        (["--precision", "int8"], 2, "BUNDLE has no int8 graph; it has fp32"),
        (["--engine", "onnxruntime-cpu"], 2, "invalid choice: 'onnxruntime-cpu'"),
        (["--crop", "eigen"], 2, "these are 104×80"),
    ],
)
def test_mistakes_with_a_bundle_are_one_line(
    run: Path, larger: Path, options: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = run.with_name("tiny.bundle")
    assert main(["evaluate", str(bundle), "--data", str(larger), *options]) == status
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = (line for line in err.splitlines() if line.startswith("clipdepth: error: "))
    assert message.replace("BUNDLE", str(bundle)) in line
    assert "Traceback" not in err


def test_a_damaged_bundle_is_told(run: Path, larger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = shutil.copytree(run.with_name("tiny.bundle"), tmp_path / "damaged.bundle")
    (bundle / "golden.npz").write_bytes(b"garbage")
    assert main(["evaluate", str(bundle), "--data", str(larger)]) == 1
    assert f"{bundle}/golden.npz has 7 bytes" in capsys.readouterr().err


def test_the_predictor_gives_depth_at_the_pictures_size(tmp_path: Path) -> None:
    given: list[tuple[int, ...]] = []

    def infer(frames: np.ndarray, segmentation: np.ndarray | None = None) -> Answer:
        given.append(frames.shape)
        return Answer(np.full(frames.shape[:3], 2.5, np.float32))

    pair = RgbdPair(np.zeros((30, 50, 3), np.uint8), np.ones((30, 50), np.float32))
    bundle = open_bundle(write_bundle(tmp_path / "b.bundle", 12, 16))
    depth = bundle_predictor(bundle, ContenderEngine("constant", "CPU", infer), "fp32")(pair)
    assert given == [(1, 12, 16, 3)]
    assert depth.shape == (30, 50)
    assert np.all(depth == 2.5)


def test_broken_depth_is_an_error(run: Path, larger: Path) -> None:
    frames = bundle_frames(bundle_of(run))[0]
    pairs = open_set(str(larger), "test", frames)
    with pytest.raises(DataError, match="NaN"):
        measure_accuracy(lambda pair: pair.depth * np.float32(np.nan), pairs, frames, "all", [0])


def test_a_bundle_without_a_networks_recipe_is_named(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b.bundle"))
    with pytest.raises(CheckpointError, match=r"b\.bundle holds no recipe"):
        bundle_frames(bundle)
