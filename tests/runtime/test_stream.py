from pathlib import Path

import cv2
import numpy as np

from bundles import brightness_depth, write_bundle
from clipdepth.bundle import open_bundle
from clipdepth.engines import load_engine
from clipdepth.sources import Captured
from clipdepth.stream import StageTimes, stream


def run(bundle_path: Path, frames: list[np.ndarray]) -> tuple[list[np.ndarray], StageTimes]:
    bundle = open_bundle(bundle_path)
    engine = load_engine(bundle, threads=1)
    times = StageTimes()
    captured = [Captured(frame, index / 30, index) for index, frame in enumerate(frames)]
    pairs = list(stream(engine, bundle.manifest.input, captured, times))
    assert [one for one, _ in pairs] == captured
    engine.close()
    return [depth for _, depth in pairs], times


def test_depth_of_frames_at_the_models_size_is_the_graphs(tmp_path: Path) -> None:
    frames = list(np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8))
    depths, _ = run(write_bundle(tmp_path / "b", 48, 64), frames)
    for frame, depth in zip(frames, depths, strict=True):
        assert depth.dtype == np.float32
        np.testing.assert_allclose(depth, brightness_depth(frame), rtol=1e-6)


def test_depth_comes_back_at_the_frames_own_size(tmp_path: Path) -> None:
    column = np.linspace(0, 255, 128)
    frame = np.broadcast_to(column[None, :, None], (96, 128, 3)).astype(np.uint8)
    (depth,), _ = run(write_bundle(tmp_path / "b", 48, 64), [frame])
    assert depth.shape == (96, 128)
    # A ramp is one whatever its size: away from the borders the depth is that of the frame's own pixels.
    inner = np.abs(depth - cv2.blur(brightness_depth(frame), (2, 1)))[:, 4:-4]
    assert inner.max() < 0.04


def test_each_frame_is_timed_in_each_stage(tmp_path: Path) -> None:
    frames = [np.zeros((60, 80, 3), np.uint8)] * 5
    _, times = run(write_bundle(tmp_path / "b", 48, 64), frames)
    assert len(times.resize) == len(times.engine) == len(times.total) == 5
    for resize, engine, total in zip(times.resize, times.engine, times.total, strict=True):
        assert min(resize, engine) > 0
        assert abs(resize + engine - total) < 1e-9
    assert {stage: latency.n for stage, latency in times.summary().items()} == {
        "resize": 5,
        "engine": 5,
        "total": 5,
    }


def test_nothing_timed_is_an_empty_summary() -> None:
    assert StageTimes().summary() == {}
