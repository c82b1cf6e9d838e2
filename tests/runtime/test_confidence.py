"""Confidence from a graph's second output to a frame, against the graph's closed form; and what is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import clipdepth
from bundles import brightness_confidence, brightness_depth, brightness_graph, write_bundle, write_manifest
from clipdepth.bundle.agreement import TOLERANCES, compare_answers
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.golden import Golden
from clipdepth.camera.resize import resize_depth, resize_frame
from clipdepth.cli import main
from clipdepth.engines import load_engine, verify_engine
from clipdepth.errors import BundleError, EngineError

ENGINES = ["onnxruntime", "openvino"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b.bundle", max_batch=3, confident=True)


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_answers_both(bundle: Path, pictures: np.ndarray, name: str) -> None:
    pytest.importorskip(name)
    engine = load_engine(open_bundle(bundle), name)
    answer = engine.infer(pictures)
    np.testing.assert_allclose(answer.depth, brightness_depth(pictures), rtol=1e-5)
    np.testing.assert_allclose(answer.confidence, brightness_confidence(pictures), rtol=1e-5)
    assert [frame.depth.shape for frame in answer.frames()] == [(48, 64)] * 3
    agreement = verify_engine(engine, open_bundle(bundle), "fp32")
    assert agreement.passed
    assert agreement.confidence_change == pytest.approx(0, abs=1e-6)
    assert "confidence differs by" in str(agreement)


@pytest.mark.parametrize("name", ENGINES)
def test_a_bundle_without_confidence_has_none(tmp_path: Path, pictures: np.ndarray, name: str) -> None:
    pytest.importorskip(name)
    plain = write_bundle(tmp_path / "plain.bundle")
    with clipdepth.load(plain, engine=name) as model:
        assert model.engine.infer(pictures[:1]).confidence is None
        frame = model(pictures[0])
        assert model.verify().confidence_change is None
    assert frame.raw_confidence is None
    assert frame.confidence is None


def test_confidence_is_cut_and_resized_as_depth_is(bundle: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    small = brightness_confidence(resize_frame(picture, 36, 64))
    with clipdepth.load(bundle, engine="onnxruntime") as model:
        frame = model(picture)
        streamed = list(model.stream([picture, picture[:, ::-1]], smooth=True))
    np.testing.assert_allclose(frame.raw_confidence, small, rtol=1e-5)
    np.testing.assert_allclose(frame.confidence, resize_depth(small, 90, 160), rtol=1e-5)
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
    Golden(golden.frames, golden.depth, golden.truth, None, other).save(bundle / "golden.npz")
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
    Golden(golden.frames, golden.depth, golden.truth, None, np.full_like(golden.depth, broken)).save(
        bundle / "golden.npz"
    )
    write_manifest(bundle, 48, 64, max_batch=3, confident=True)
    with pytest.raises(BundleError, match="does not hold confidence of 48×64 from 0 to 1"):
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
