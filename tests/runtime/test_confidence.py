"""Confidence and novelty from a graph's outputs to a frame, against the graph's closed form; and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

import clipdepth
from bundles import (
    brightness_confidence,
    brightness_depth,
    brightness_graph,
    brightness_novelty,
    write_bundle,
    write_manifest,
)
from clipdepth.bundle.agreement import TOLERANCES, compare_answers
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.letterbox import fit
from clipdepth.camera.resize import resize_depth, resize_frame
from clipdepth.cli import main
from clipdepth.engines import load_engine, verify_engine
from clipdepth.errors import BundleError, EngineError

ENGINES = ["onnxruntime", "openvino"]
SIZE = InputSize(48, 64)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b.bundle", max_batch=3, confident=True)


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_answers_all(bundle: Path, pictures: np.ndarray, name: str) -> None:
    pytest.importorskip(name)
    engine = load_engine(open_bundle(bundle), name)
    answer = engine.infer(pictures)
    np.testing.assert_allclose(answer.depth, brightness_depth(pictures), rtol=1e-5)
    np.testing.assert_allclose(answer.confidence, brightness_confidence(pictures), rtol=1e-5)
    np.testing.assert_allclose(answer.novelty, brightness_novelty(pictures), rtol=1e-5)
    np.testing.assert_array_equal([frame.novelty for frame in answer.frames()], answer.novelty)
    assert [frame.depth.shape for frame in answer.frames()] == [(48, 64)] * 3
    agreement = verify_engine(engine, open_bundle(bundle), "fp32")
    assert agreement.passed
    assert agreement.confidence_change == pytest.approx(0, abs=1e-6)
    assert agreement.novelty_change == pytest.approx(0, abs=1e-6)
    assert "confidence differs by" in str(agreement)
    assert "novelty differs by" in str(agreement)


@pytest.mark.parametrize("name", ENGINES)
def test_a_bundle_without_confidence_has_none(tmp_path: Path, pictures: np.ndarray, name: str) -> None:
    pytest.importorskip(name)
    plain = write_bundle(tmp_path / "plain.bundle")
    with clipdepth.load(plain, engine=name) as model:
        assert model.engine.infer(pictures[:1])[1:] == (None, None)
        frame = model(pictures[0])
        assert model.verify().confidence_change is None
    assert frame.raw_confidence is None
    assert frame.confidence is None
    assert frame.novelty is None


def test_confidence_is_cut_and_resized_as_depth_is(bundle: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    small = brightness_confidence(resize_frame(picture, 36, 64))
    with clipdepth.load(bundle, engine="onnxruntime") as model:
        frame = model(picture)
        streamed = list(model.stream([picture, picture[:, ::-1]], smooth=True))
    np.testing.assert_allclose(frame.raw_confidence, small, rtol=1e-5)
    np.testing.assert_allclose(frame.confidence, resize_depth(small, 90, 160), rtol=1e-5)
    # Of all that the network saw, what filled its picture included.
    assert frame.novelty == pytest.approx(float(brightness_novelty(fit(90, 160, [SIZE]).picture(picture))), rel=1e-5)
    np.testing.assert_array_equal(streamed[0].raw_confidence, frame.raw_confidence)
    # Depth is the mean of both where nothing moves; confidence is the newest frame's.
    np.testing.assert_allclose(
        streamed[1].raw_confidence,
        brightness_confidence(resize_frame(np.ascontiguousarray(picture[:, ::-1]), 36, 64)),
        rtol=1e-5,
    )


def test_an_altered_golden_confidence_is_refused(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = open_bundle(bundle).golden()
    assert golden.confidence is not None
    other = np.clip(golden.confidence + np.float32(0.01), 0, 1)
    replace(golden, confidence=other).save(bundle / "golden.npz")
    write_manifest(bundle, 48, 64, max_batch=3, confident=True)
    with clipdepth.load(bundle, engine="onnxruntime") as model:
        agreement = model.verify()
    assert agreement.mean < 1e-4
    assert agreement.confidence_change == pytest.approx(0.01, rel=0.05)
    assert not agreement.passed
    assert main(["verify", str(bundle)]) == 1
    assert "confidence differs by 0.01" in "".join(capsys.readouterr()).replace("\n", " ")


@pytest.mark.parametrize("broken", [np.nan, -0.1, 1.1])
def test_a_golden_confidence_that_is_no_probability_is_refused(bundle: Path, broken: float) -> None:
    golden = open_bundle(bundle).golden()
    replace(golden, confidence=np.full_like(golden.depth, broken)).save(bundle / "golden.npz")
    write_manifest(bundle, 48, 64, max_batch=3, confident=True)
    with pytest.raises(BundleError, match="does not hold confidence of 48×64 from 0 to 1"):
        open_bundle(bundle).golden()


def test_an_altered_golden_novelty_is_refused(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = open_bundle(bundle).golden()
    assert golden.novelty is not None
    replace(golden, novelty=golden.novelty / np.float32(1.02)).save(bundle / "golden.npz")
    write_manifest(bundle, 48, 64, max_batch=3, confident=True)
    with clipdepth.load(bundle, engine="onnxruntime") as model:
        agreement = model.verify()
    assert agreement.confidence_change == pytest.approx(0, abs=1e-6)
    assert agreement.novelty_change == pytest.approx(0.02, rel=1e-3)
    assert not agreement.passed
    assert main(["verify", str(bundle)]) == 1
    assert "novelty differs by 0.02 on average (limit 0.001)" in "".join(capsys.readouterr()).replace("\n", " ")


@pytest.mark.parametrize("broken", [np.full(2, np.nan), np.zeros(2), np.ones(3), np.ones((2, 1)), None])
def test_a_golden_novelty_that_is_no_distance_is_refused(bundle: Path, broken: np.ndarray | None) -> None:
    novelty = None if broken is None else broken.astype(np.float32)
    replace(open_bundle(bundle).golden(), novelty=novelty).save(bundle / "golden.npz")
    write_manifest(bundle, 48, 64, max_batch=3, confident=True)
    with pytest.raises(BundleError, match="does not hold novelty above 0 beside confidence"):
        open_bundle(bundle).golden()


def test_manifest_golden_frames_and_graph_have_to_fit(bundle: Path) -> None:
    write_manifest(bundle, 48, 64, max_batch=3)
    with pytest.raises(BundleError, match="whose model has no confidence"):
        open_bundle(bundle).golden()
    onnx.save(brightness_graph(48, 64, 1.0, 3), bundle / "depth.fp32.onnx")
    write_manifest(bundle, 48, 64, max_batch=3, confident=True)
    with pytest.raises(EngineError, match="only the golden frames have confidence"):
        verify_engine(load_engine(open_bundle(bundle)), open_bundle(bundle), "fp32")


def test_confidence_that_is_not_finite_agrees_with_nothing() -> None:
    depth = np.ones((1, 2, 2), np.float32)
    good, bad = np.full_like(depth, 0.5), np.full_like(depth, np.nan)
    tolerance = TOLERANCES["int8"]
    assert compare_answers(Answer(depth, good), Answer(depth, good), tolerance).passed
    assert not compare_answers(Answer(depth, bad), Answer(depth, good), tolerance).passed
    assert not compare_answers(Answer(depth, good + 0.05), Answer(depth, good), tolerance).passed
    assert compare_answers(Answer(depth, good + 0.02), Answer(depth, good), tolerance).passed
    one = np.ones(1, np.float32)
    assert compare_answers(Answer(depth, good, one), Answer(depth, good, one * 1.05), tolerance).passed
    for other in (one * 1.2, one / 1.2, one * np.nan):
        assert not compare_answers(Answer(depth, good, other), Answer(depth, good, one), tolerance).passed


def test_a_manifest_has_to_hold_novelty_to_a_limit(bundle: Path) -> None:
    path = bundle / "manifest.json"
    stated = path.read_text()
    assert '"novelty":0.001' in stated.replace(" ", "")
    for limit in ("null", "0.5"):
        path.write_text(re.sub(r'("novelty": ?)0\.001', rf"\g<1>{limit}", stated))
        with pytest.raises(BundleError, match="confidence or novelty of fp32 is held to nothing"):
            open_bundle(bundle)


def test_frames_unlike_those_of_training_are_counted(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in (10, 90, 200, 250, 240)]
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    with clipdepth.load(bundle, engine="onnxruntime") as model:
        found = [frame.novelty for frame in model.stream(pictures)]
    np.testing.assert_allclose(found, [0.1, 0.9, 2.0, 2.5, 2.4], rtol=1e-5)
    report = tmp_path / "r.json"
    for made, expected in ((bundle, 3), (write_bundle(tmp_path / "plain.bundle"), None)):
        asked = ["--source", str(folder), "--engine", "onnxruntime", "--json", str(report)]
        assert main(["run", str(made), *asked]) == 0
        assert json.loads(report.read_text())["sources"][0]["novel"] == expected
        assert ("3 unlike what the model learned from" in capsys.readouterr().out) == (expected == 3)
