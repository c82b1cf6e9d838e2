"""Confidence: a head that recovers known scales, what measures it, and the command that gives it to a run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import runs
from bundles import WEIGHTS, write_bundle
from clipdepth.bundle.confidence import SHAPE, half_width
from clipdepth.cli import main
from clipdepth_train.checkpoint import CHECKPOINT, load_run, read_checkpoint, read_state, save_checkpoint
from clipdepth_train.confidence.errors import Errors, measure_errors
from clipdepth_train.confidence.fit import apply_calibration, calibrate, fit_head
from clipdepth_train.confidence.uncertainty import Stated, measure_uncertainty
from clipdepth_train.data.loader import open_set
from clipdepth_train.depth_model import build_model
from clipdepth_train.evaluation import answerer
from clipdepth_train.models import SpaceConfig
from clipdepth_train.models.confidence import ConfidenceHead, has_confidence
from clipdepth_train.models.novelty import NoveltyHead
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig
from clipdepth_train.start import load_start
from tiny_clip import TINY_VIT

Captured = pytest.CaptureFixture[str]
WIDTH = 6
NO_PICTURES = torch.zeros(1, WIDTH)
"""Where novelty is not tested."""


def drawn(pictures: int, pixels: int, seed: int, factor: float = 1.0) -> tuple[Errors, torch.Tensor]:
    """Errors of known scales, which depend on a pixel's features and on its picture's mean; and these scales."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(pictures, WIDTH, generator=generator).repeat_interleave(pixels, dim=0)
    features = means + 2 * torch.randn(pictures * pixels, WIDTH, generator=generator)
    of_pixel = torch.tensor([0.2, -0.1, 0.0, 0.15, 0.0, 0.05])
    of_picture = torch.tensor([0.0, 0.3, 0.0, -0.1, 0.1, 0.0])
    scales = torch.exp(-2.0 + features @ of_pixel + means @ of_picture)
    exponential = -torch.log(torch.rand(len(scales), generator=generator).clamp(min=1e-12))
    noise = exponential ** (1 / SHAPE)
    return Errors(features, means, factor * scales * noise, NO_PICTURES), scales


def stated(head: ConfidenceHead, found: Errors) -> np.ndarray[Any, Any]:
    """The head's confidence of each pixel, by a picture of that pixel alone with its picture's mean."""
    assert head.local.bias is not None
    with torch.no_grad():
        log_scale = (
            found.features @ head.local.weight[0, :, 0, 0] + head.local.bias + found.means @ head.whole.weight[0]
        )
        confidence: np.ndarray[Any, Any] = (1 - torch.exp(-((0.1 / torch.exp(log_scale)) ** SHAPE))).numpy()
    return confidence


def test_a_head_recovers_the_scales_that_errors_were_drawn_with() -> None:
    found, _ = drawn(pictures=200, pixels=100, seed=0)
    others, scales = drawn(pictures=100, pixels=100, seed=1)
    head = ConfidenceHead(WIDTH)
    fit_head(head, found)
    confidence = stated(head, others)
    np.testing.assert_allclose(confidence, 1 - np.exp(-((0.1 / scales.numpy()) ** SHAPE)), atol=0.05)
    covered = others.errors.numpy() <= half_width(confidence)
    assert covered.mean() == pytest.approx(0.9, abs=0.01)
    assert (others.errors.numpy() <= 0.1).mean() == pytest.approx(confidence.mean(), abs=0.01)


def test_calibration_makes_up_for_errors_that_are_larger_elsewhere() -> None:
    found, _ = drawn(pictures=200, pixels=100, seed=2, factor=0.5)
    others, _ = drawn(pictures=100, pixels=100, seed=3)
    head = ConfidenceHead(WIDTH)
    fit_head(head, found)
    before = others.errors.numpy() <= half_width(stated(head, others))
    calibration = calibrate(head, NoveltyHead(WIDTH), others)
    assert calibration.slope == pytest.approx(1, abs=0.05)
    apply_calibration(head, NoveltyHead(WIDTH), calibration)
    after = others.errors.numpy() <= half_width(stated(head, others))
    assert before.mean() == pytest.approx(1 - 0.1 ** (0.5**SHAPE), abs=0.01)
    assert after.mean() == pytest.approx(0.9, abs=0.01)


def test_the_head_on_a_map_of_features() -> None:
    torch.manual_seed(0)
    head, features = ConfidenceHead(WIDTH).eval(), torch.randn(2, WIDTH, 3, 4)
    with torch.no_grad():
        found = head(features).numpy()
        for picture, (of_map, confidence) in enumerate(zip(features, found, strict=True)):
            pixels = of_map.flatten(1).T
            means = of_map.mean(dim=(1, 2)).expand(len(pixels), -1)
            expected = stated(head, Errors(pixels, means, torch.zeros(len(pixels)), NO_PICTURES))
            np.testing.assert_allclose(confidence.ravel(), expected, rtol=1e-4, err_msg=str(picture))


def test_half_width_is_the_interval_of_nine_in_ten() -> None:
    scale = 0.2
    width = half_width(np.array([1 - np.exp(-((0.1 / scale) ** SHAPE))], np.float32))
    assert 1 - np.exp(-((width[0] / scale) ** SHAPE)) == pytest.approx(0.9, abs=1e-4)
    assert half_width(np.array([0.0, 1.0], np.float32)).tolist() == [np.inf, 0.0]


def test_uncertainty_against_a_direct_computation() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 5, 300).astype(np.float32)
    depth = (truth * rng.uniform(0.7, 1.4, 300)).astype(np.float32)
    confidence = rng.uniform(0.05, 0.95, 300).astype(np.float32)
    halves = [Stated(depth[part], truth[part], confidence[part]) for part in (slice(0, 100), slice(100, None))]
    found = measure_uncertainty(halves)
    errors = np.abs(depth.astype(float) - truth) / truth
    areas = []
    for left in range(1, 301):
        surest = sorted(range(300), key=lambda pixel: -confidence[pixel])[:left]
        areas.append(errors[surest].mean() - np.sort(errors)[:left].mean())
    assert found.ause == pytest.approx(np.mean(areas), rel=1e-6)
    assert found.rel["1"] == pytest.approx(errors.mean())
    assert found.rel["0.8"] == pytest.approx(errors[np.argsort(-confidence)[:240]].mean())
    assert found.best["0.2"] == pytest.approx(np.sort(errors)[:60].mean())
    assert found.within == pytest.approx((errors <= 0.1).mean())
    assert sum(part.share for part in found.reliability) == pytest.approx(1)
    assert np.average([part.observed for part in found.reliability]) == pytest.approx((errors <= 0.1).mean())
    # An order by the errors themselves is the best there is.
    assert measure_uncertainty([Stated(depth, truth, (1 / (1 + errors)).astype(np.float32))]).ause == pytest.approx(
        0, abs=1e-6
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_rgbd_folder(tmp_path_factory.mktemp("data"), train=40, test=2)


def confident_run(folder: Path, data: Path, **changes: Any) -> Path:
    frames = DataConfig(64, 64, rooms=1, workers=0, held_out=2)
    made = runs.train_tiny_run(folder, data, frames=frames, **changes)
    assert main(["confidence", str(made)]) == 0
    return made


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return confident_run(tmp_path_factory.mktemp("runs") / "held", data)


def test_the_command_leaves_the_network_as_it_is(run: Path, data: Path) -> None:
    check_network_is_kept(run, data)


def test_a_vision_transformer_says_how_sure_it_is(data: Path, tmp_path: Path) -> None:
    model = SpaceConfig(PretrainedConfig(TINY_VIT, "none"), (1, 2, 3, 5), width=8, bins=8)
    check_network_is_kept(confident_run(tmp_path / "space", data, model=model), data)


def check_network_is_kept(run: Path, data: Path) -> None:
    """Its depth is that of the network without the heads, whose tensors are all that came."""
    tensors, recipe, state = read_checkpoint(run / CHECKPOINT)
    assert set(state["confidence"]) == {"slope", "offset", "unusual", "own", "shape"}
    model, _ = load_run(run)
    bare = build_model(recipe, pretrained=False)
    bare.load_state_dict({name: value for name, value in tensors.items() if not has_confidence([name])})
    assert len(tensors) == len(bare.state_dict()) + 3 + 2
    pair = open_set(str(data), "test", recipe.frames)[0]
    depth, confidence, novelty = answerer(model, recipe.frames)(pair)
    np.testing.assert_allclose(depth, answerer(bare, recipe.frames)(pair).depth, rtol=1e-5)
    assert answerer(bare, recipe.frames)(pair)[1:] == (None, None)
    assert novelty is not None
    assert novelty > 0
    assert confidence is not None
    assert confidence.shape == depth.shape
    assert 0 < confidence.min() < confidence.max() < 1


def test_the_run_covers_its_held_out_frames(run: Path, data: Path) -> None:
    model, recipe = load_run(run)
    assert model.is_confident
    found = measure_errors(model, open_set(str(data), "test", recipe.frames), range(20), recipe.frames)
    # As many are within 10% as are stated, of all pixels and of those that it is less and more sure of.
    head = model.network.confidence
    assert isinstance(head, ConfidenceHead)
    confidence, within = stated(head, found), found.errors.numpy() <= 0.1
    assert within.mean() == pytest.approx(confidence.mean(), abs=0.02)
    for half in np.array_split(np.argsort(confidence), 2):
        assert within[half].mean() == pytest.approx(confidence[half].mean(), abs=0.05)


def test_evaluating_uncertainty(run: Path, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "e.json"
    assert main(["evaluate", str(run), "--uncertainty", "--json", str(file)]) == 0
    found = json.loads(file.read_text())["uncertainty"]
    assert found["frames"] == 20
    assert 0 <= found["coverage"] <= 1
    assert found["rel"]["0.8"] >= found["best"]["0.8"]
    assert "surest 80%" in capsys.readouterr().out


def test_a_run_that_held_nothing_out(run: Path, data: Path, tmp_path: Path, capsys: Captured) -> None:
    whole = runs.train_tiny_run(tmp_path / "whole", data)
    before = (whole / CHECKPOINT).read_bytes()
    assert main(["confidence", str(whole)]) == 2
    assert "--like" in capsys.readouterr().err
    assert main(["confidence", str(whole), "--like", str(whole)]) == 2
    assert "no calibration of its own" in capsys.readouterr().err
    assert main(["evaluate", str(whole), "--uncertainty"]) == 2
    assert "does not say how sure it is" in capsys.readouterr().err
    assert (whole / CHECKPOINT).read_bytes() == before
    assert main(["confidence", str(whole), "--like", str(run)]) == 0
    states = [read_state(folder / CHECKPOINT)[1]["confidence"] for folder in (whole, run)]
    assert [state["slope"] for state in states] == [states[1]["slope"]] * 2
    assert [state["own"] for state in states] == [False, True]
    assert states[0]["unusual"] == states[1]["unusual"]


def test_a_calibration_by_another_law_is_told(
    run: Path, data: Path, tmp_path: Path, capsys: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """As runs have it that were calibrated before the law was noted, or by another shape; and it goes away."""
    load_run(run)
    assert caplog.messages == []
    tensors, recipe, state = read_checkpoint(run / CHECKPOINT)
    of_before = {name: value for name, value in state["confidence"].items() if name != "shape"}
    old = tmp_path / "old"
    for kept in ({**of_before, "shape": 1.0}, of_before):
        old.mkdir(exist_ok=True)
        save_checkpoint(old / CHECKPOINT, tensors, recipe, {**state, "confidence": kept})
        caplog.clear()
        load_run(old)
        remedy = f"was calibrated by an earlier law of errors; run 'clipdepth confidence {old}' again"
        assert caplog.messages == [f"the confidence of {old} {remedy}"]
        assert main(["confidence", str(run), "--like", str(old)]) == 2
        assert remedy in " ".join(capsys.readouterr().err.split())
    caplog.clear()
    assert main(["confidence", str(old), "--data", str(data)]) == 0
    load_run(old)
    assert caplog.messages == []


def test_a_bundles_weights_get_the_confidence_of_a_run_beside_them(
    run: Path, data: Path, tmp_path: Path, capsys: Captured
) -> None:
    """The bundle stays as it is; the run that is written has its network, and heads of its own."""
    whole = runs.train_tiny_run(tmp_path / "whole", data)
    weights = (whole / CHECKPOINT).read_bytes()
    bundle = write_bundle(tmp_path / "whole.bundle", weights=weights)
    asked = ["confidence", str(bundle), "--like", str(run), "--data", str(data)]
    assert main(asked) == 2
    assert "whole.bundle is a bundle, which stays as it is; give --out" in capsys.readouterr().err
    assert main([*asked, "--out", str(whole)]) == 2
    assert "whole exists and is not empty; choose another --out" in capsys.readouterr().err
    out = tmp_path / "sure"
    assert main([*asked, "--out", str(out)]) == 0
    assert (bundle / WEIGHTS).read_bytes() == weights == (whole / CHECKPOINT).read_bytes()
    tensors, before = read_checkpoint(out / CHECKPOINT)[0], read_checkpoint(whole / CHECKPOINT)[0]
    assert [name for name in tensors if not has_confidence([name])] == list(before)
    assert all(torch.equal(tensors[name], value) for name, value in before.items())
    assert load_run(out)[0].is_confident
    assert main([*asked[:1], str(out), *asked[2:]]) == 0  # and again, into itself


def test_a_training_starts_without_the_former_ones_confidence(run: Path) -> None:
    _, recipe = load_run(run)
    model = build_model(recipe, pretrained=False)
    load_start(model, recipe, run / CHECKPOINT)
    assert not model.is_confident
