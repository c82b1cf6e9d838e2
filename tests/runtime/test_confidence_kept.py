"""Confidence in what is kept of depth, read back by other readers; and what too little of it leaves out."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import clipdepth
from bundles import brightness_confidence, brightness_depth, write_bundle
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.manifest import InputSize
from clipdepth.cli import main
from clipdepth.frame import DepthFrame
from clipdepth.pipeline.optics import Optics
from clipdepth.sinks import open_sink
from clipdepth.sinks.depth_picture import INVALID
from clipdepth.sinks.window_picture import WindowPicture
from clipdepth.sources import Captured
from depth_frames import with_depth
from ply_files import read_ply
from rerun_files import read

HEIGHT, WIDTH = 48, 64
OUTPUTS = ("depth", "x.npz", "x.ply")


@pytest.fixture
def frame() -> DepthFrame:
    """Each pixel at a distance and with a confidence of its own."""
    depth = np.linspace(1, 4, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    captured = Captured(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), 0.0, 0)
    sure = np.random.default_rng(1).random((HEIGHT, WIDTH), dtype=np.float32)
    return replace(with_depth(captured, depth), raw_confidence=sure)


def keep(frame: DepthFrame, path: Path) -> None:
    with open_sink(path, 0.3, 6, confident=True) as sink:
        sink.write(frame)


def grey(path: Path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


def test_pngs_of_confidence_lie_below_those_of_depth(tmp_path: Path, frame: DepthFrame) -> None:
    keep(frame, tmp_path / "depth")
    found = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.png"))
    assert found == ["depth/confidence/confidence_000000.png", "depth/depth_000000.png"]
    levels = grey(tmp_path / found[0])
    assert (levels.dtype, levels.shape) == (np.uint8, (HEIGHT, WIDTH))
    assert np.abs(levels / 255 - frame.raw_confidence).max() <= 0.5 / 255 + 1e-6
    (stored,) = clipdepth.read_depth(tmp_path / "depth")
    assert np.abs(stored.depth - frame.depth).max() < 0.00051


def test_pngs_of_two_runs_are_not_mixed(tmp_path: Path, frame: DepthFrame) -> None:
    (tmp_path / "confidence").mkdir()
    (tmp_path / "confidence/confidence_000007.png").touch()
    with pytest.raises(clipdepth.ClipdepthError, match=r"confidence_\*\.png files already"):
        keep(frame, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["confidence"]


def test_arrays_and_clouds_hold_it(tmp_path: Path, frame: DepthFrame) -> None:
    for name in ("x.npz", "x.ply"):
        keep(frame, tmp_path / name)
    stored = np.load(tmp_path / "x_000000.npz")
    np.testing.assert_array_equal(stored["confidence"], frame.raw_confidence)
    assert stored["confidence"].dtype == np.float32
    cloud = read_ply(tmp_path / "x_000000.ply")
    assert list(cloud) == ["x", "y", "z", "red", "green", "blue", "confidence"]
    np.testing.assert_array_equal(cloud["confidence"].astype(np.float32), frame.raw_confidence.ravel())
    np.testing.assert_array_equal(cloud["z"].astype(np.float32), frame.depth.ravel())


def test_a_recording_has_it_as_an_entity(tmp_path: Path, frame: DepthFrame) -> None:
    pytest.importorskip("rerun")
    keep(frame, tmp_path / "x.rrd")
    found = read(tmp_path / "x.rrd")["/camera/confidence"]
    levels = np.array(found["Image:buffer"][0][0], np.uint8).reshape(HEIGHT, WIDTH)
    assert np.abs(levels / 255 - frame.raw_confidence).max() <= 0.5 / 255 + 1e-6
    keep(replace(frame, raw_confidence=None), tmp_path / "y.rrd")
    assert "/camera/confidence" not in read(tmp_path / "y.rrd")


def test_what_is_less_sure_is_unknown_in_each_form(tmp_path: Path, frame: DepthFrame) -> None:
    least = 0.4
    unsure = frame.raw_confidence < least
    frame = replace(frame, min_confidence=least)
    for name in OUTPUTS:
        keep(frame, tmp_path / name)
    np.testing.assert_array_equal(grey(tmp_path / "depth/depth_000000.png") == 0, unsure)
    stored = np.load(tmp_path / "x_000000.npz")
    np.testing.assert_array_equal(np.isnan(stored["depth"]), unsure)
    np.testing.assert_array_equal(stored["depth"][~unsure], frame.raw[~unsure])
    np.testing.assert_array_equal(stored["confidence"], frame.raw_confidence)
    cloud = read_ply(tmp_path / "x_000000.ply")
    np.testing.assert_array_equal(cloud["z"].astype(np.float32), frame.raw[~unsure])
    window = WindowPicture(frame.image, frame.depth, 0.3, 6)
    row, column = np.argwhere(unsure)[0]
    assert window.pointed(None)[row, WIDTH + column].tolist() == [INVALID] * 3
    np.testing.assert_array_equal(frame.raw_depth, frame.depth)


def test_a_larger_picture_is_cut_by_its_own_confidence(frame: DepthFrame) -> None:
    """By the confidence at its size, and depth beside what is left out is what it was."""
    picture = np.zeros((3 * HEIGHT, 3 * WIDTH, 3), np.uint8)
    whole = replace(frame, image=picture)
    cut = replace(whole, min_confidence=0.4)
    np.testing.assert_array_equal(cut.depth, np.where(whole.confidence < 0.4, np.nan, whole.depth))
    assert 0.1 < np.isnan(cut.depth).mean() < 0.6


def test_a_graphs_answer_is_a_probability_whatever_it_is() -> None:
    """A graph is a stranger's, and its golden frames need not show what it does."""
    answered = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    answered[0, :6] = np.nan, np.inf, -np.inf, 1.01, -0.01, 1
    optics = Optics([InputSize(HEIGHT, WIDTH)], min_confidence=0.2)
    prepared = optics.prepare(Captured(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0.0, 0))
    frame = optics.depth_frame(prepared, Answer(np.ones((HEIGHT, WIDTH), np.float32), answered), "test")
    assert frame.confidence[0, :7].tolist() == [0, 1, 0, 1, 0, 1, 0.5]
    assert np.isnan(frame.depth[0, :7]).tolist() == [True, False, True, False, True, False, False]
    assert frame.depth.shape == frame.confidence.shape


@pytest.fixture
def pictures(tmp_path: Path) -> np.ndarray:
    made = np.random.default_rng(2).integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    (tmp_path / "pictures").mkdir()
    for index, picture in enumerate(made):
        cv2.imwrite(str(tmp_path / f"pictures/{index}.png"), picture)
    return made


def run(bundle: Path, source: Path, *options: object) -> int:
    given = ["run", bundle, "--source", source, "--engine", "onnxruntime", *options]
    return main([str(argument) for argument in given])


def test_run_keeps_tells_and_leaves_out(
    tmp_path: Path, pictures: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, report = write_bundle(tmp_path / "b", confident=True), tmp_path / "r.json"
    sure = brightness_confidence(pictures)
    assert run(bundle, tmp_path / "pictures", "--output", tmp_path / "all", "--json", report) == 0
    (source,) = json.loads(report.read_text())["sources"]
    assert source["confidence"] == {"mean": pytest.approx(sure.mean(), abs=1e-5), "left_out": 0}
    out = capsys.readouterr().out
    assert f"with a probability of {sure.mean():.2f} on average\n" in out

    options = ["--output", tmp_path / "sure", "--min-confidence", 0.5, "--json", report]
    assert run(bundle, tmp_path / "pictures", *options) == 0
    share = (sure < 0.5).mean()
    (source,) = json.loads(report.read_text())["sources"]
    assert source["confidence"] == {
        "mean": pytest.approx(sure.mean(), abs=1e-5),
        "left_out": pytest.approx(share, abs=0.001),
    }
    assert f"; {share:.0%} of the pixels were left out\n" in capsys.readouterr().out
    for index, picture in enumerate(pictures):
        kept = grey(tmp_path / f"sure/depth_{index:06d}.png")
        clear = np.abs(sure[index] - 0.5) > 1e-4
        np.testing.assert_array_equal((kept == 0)[clear], (sure[index] < 0.5)[clear])
        assert np.abs(kept / 1000 - brightness_depth(picture))[kept > 0].max() < 0.001
        both = [grey(tmp_path / f"{name}/confidence/confidence_{index:06d}.png") for name in ("all", "sure")]
        np.testing.assert_array_equal(*both)


def test_a_model_that_does_not_state_it_has_none_anywhere(
    tmp_path: Path, pictures: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, report = write_bundle(tmp_path / "b"), tmp_path / "r.json"
    outputs = [option for name in OUTPUTS for option in ("--output", tmp_path / name)]
    assert run(bundle, tmp_path / "pictures", *outputs, "--json", report) == 0
    assert "probability" not in capsys.readouterr().out
    assert json.loads(report.read_text())["sources"][0]["confidence"] is None
    assert not (tmp_path / "depth/confidence").exists()
    assert "confidence" not in np.load(tmp_path / "x_000000.npz").files
    assert "confidence" not in read_ply(tmp_path / "x_000000.ply")

    assert run(bundle, tmp_path / "pictures", "--output", tmp_path / "no", "--min-confidence", 0) == 2
    err = capsys.readouterr().err
    assert "--min-confidence: brightness does not state how sure it is; leave it out" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("text", ["1.1", "-0.1", "nan", "inf", "half", ""])
def test_a_value_that_is_no_probability_is_misuse(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "b", tmp_path, f"--min-confidence={text}") == 2
    err = capsys.readouterr().err
    assert f"'{text}' is not a number from 0 to 1" in err
    assert err.count("\n") == 1
