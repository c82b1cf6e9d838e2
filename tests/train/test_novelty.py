"""Novelty: a head that measures distances as SciPy does, and what the command makes of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis

import runs
from clipdepth.cli import main
from clipdepth_train.checkpoint import CHECKPOINT, load_run, read_state
from clipdepth_train.confidence.novelty import SHRINKAGE, fit_novelty, set_unit, unusual_distance
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.evaluation import answerer
from clipdepth_train.models.novelty import NoveltyHead
from clipdepth_train.recipe import DataConfig

WIDTH = 5


def drawn(pictures: int, seed: int) -> torch.Tensor:
    """Means of pictures' features of one normal distribution, whose directions differ a hundredfold in spread."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.tensor(np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0], dtype=torch.float32)
    return torch.randn(pictures, WIDTH, generator=generator) * torch.logspace(-2, 0, WIDTH) @ mixed + 3


def test_a_fitted_head_against_scipys_distance() -> None:
    pictures, others = drawn(500, 0), drawn(20, 1)
    head = NoveltyHead(WIDTH)
    fit_novelty(head, pictures)
    known = pictures.double().numpy()
    covariance = np.cov(known.T, bias=True)
    covariance += SHRINKAGE * np.trace(covariance) / WIDTH * np.eye(WIDTH)
    expected = [mahalanobis(other, known.mean(axis=0), np.linalg.inv(covariance)) for other in others.double().numpy()]
    with torch.no_grad():
        found = head(others[:, :, None, None].expand(-1, -1, 3, 4))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)


def test_one_in_a_hundred_of_others_exceeds_1() -> None:
    head = NoveltyHead(WIDTH)
    fit_novelty(head, drawn(2000, 2))
    set_unit(head, unusual_distance(head, drawn(2000, 3)))
    with torch.no_grad():
        more = head(drawn(20000, 4)[:, :, None, None])
        far = head(drawn(100, 5)[:, :, None, None] + 4)
    assert (more > 1).float().mean() == pytest.approx(0.01, abs=0.005)
    assert far.min() > 1


def test_features_that_never_differ_are_no_division_by_zero() -> None:
    pictures = drawn(50, 6)
    pictures[:, 2] = 7
    head = NoveltyHead(WIDTH)
    fit_novelty(head, pictures)
    with torch.no_grad():
        assert torch.isfinite(head(pictures[:, :, None, None])).all()


def test_a_fitted_run_tells_its_room_from_noise(tmp_path: Path) -> None:
    data = runs.write_rgbd_folder(tmp_path / "data", train=40, test=2)
    run = runs.train_tiny_run(tmp_path / "run", data, frames=DataConfig(64, 64, rooms=1, workers=0, held_out=2))
    assert main(["confidence", str(run)]) == 0
    model, recipe = load_run(run)
    answer = answerer(model, recipe.frames)
    held_out = open_set(str(data), "test", recipe.frames)
    of_room = np.array([answer(held_out[index]).novelty for index in range(len(held_out))])
    # The distance that was kept is the largest hundredth's: of 20 frames, a little below the largest.
    assert (of_room > 1).sum() == 1
    assert read_state(run / CHECKPOINT)[1]["confidence"]["unusual"] > 0
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    found = answer(RgbdPair(noise, np.ones((64, 64), np.float32))).novelty
    assert found is not None
    assert found > of_room.max()
