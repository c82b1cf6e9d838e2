"""An engine's accuracy against that of the run it was exported from, by `clipdepth evaluate`."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.bundle import Bundle, open_bundle
from clipdepth.cli import main
from clipdepth.engines import load_engine
from clipdepth.errors import CheckpointError, DataError
from clipdepth.manifest import InputSize
from clipdepth_bench.accuracy import Accuracy, bundle_frames, engine_predictor, measure_accuracy
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.evaluation import Crop
from runs import write_rgbd_folder

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


def accuracy_of(bundle: Bundle, data: Path, crop: Crop = "all") -> Accuracy:
    engine = load_engine(bundle, "onnxruntime", "fp32", 1)
    frames = bundle_frames(bundle)
    pairs = open_set(str(data), "test", frames)
    predict = engine_predictor(engine.infer, bundle.manifest.input)
    return measure_accuracy(predict, pairs, frames, crop, range(len(pairs)))


@pytest.mark.parametrize(("folder", "crop", "frames"), [("larger", "all", 2), ("kinect", "paper", 1)])
def test_it_is_what_evaluate_measures_of_the_run(
    run: Path, folder: str, crop: Crop, frames: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data, report = request.getfixturevalue(folder), tmp_path / "evaluate.json"
    found = accuracy_of(bundle_of(run), data, crop)
    assert main(["evaluate", str(run), "--data", str(data), "--crop", crop, "--no-mirror", "--json", str(report)]) == 0
    evaluated = json.loads(report.read_text(encoding="utf-8"))
    assert found.frames == evaluated["frames"] == frames
    assert asdict(found.metrics) == pytest.approx(evaluated["metrics"][run.name], rel=1e-4)
    assert 0 < found.metrics.rel < 10


def test_the_predictor_gives_depth_at_the_pictures_size() -> None:
    given: list[tuple[int, ...]] = []

    def infer(frames: np.ndarray, segmentation: np.ndarray | None = None) -> np.ndarray:
        given.append(frames.shape)
        return np.full(frames.shape[:3], 2.5, np.float32)

    pair = RgbdPair(np.zeros((30, 50, 3), np.uint8), np.ones((30, 50), np.float32))
    depth = engine_predictor(infer, InputSize(12, 16))(pair)
    assert given == [(1, 12, 16, 3)]
    assert depth.shape == (30, 50)
    assert np.all(depth == 2.5)


def test_broken_depth_is_an_error(run: Path, larger: Path) -> None:
    frames = bundle_frames(bundle_of(run))
    pairs = open_set(str(larger), "test", frames)
    with pytest.raises(DataError, match="NaN"):
        measure_accuracy(lambda pair: pair.depth * np.float32(np.nan), pairs, frames, "all", [0])


def test_a_bundle_without_a_networks_recipe_is_named(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b.bundle"))
    with pytest.raises(CheckpointError, match=r"b\.bundle holds no recipe"):
        bundle_frames(bundle)
