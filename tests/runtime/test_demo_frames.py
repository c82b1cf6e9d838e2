"""The demo's picture of what every engine answers."""

from pathlib import Path

import cv2
import numpy as np

from bundles import write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.cli.demo_frames import show_frames
from clipdepth.sinks.depth_picture import colourise
from clipdepth.sinks.picture_grid import TILE_WIDTH, depth_span


def test_a_row_for_each_frame_and_a_column_for_each_engine_that_works(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b", precisions=("fp32", "fp16"), frames=3))
    shown = show_frames(bundle, tmp_path / "frames.png")
    worked = {each.trial.engine for each in shown if each.trial.passed}
    assert {"onnxruntime", "openvino"} <= worked
    assert all(each.difference is not None and each.difference < 1e-4 for each in shown if each.trial.passed)
    assert all(each.trial.problem for each in shown if not each.trial.passed)
    picture, golden = cv2.imread(str(tmp_path / "frames.png")), bundle.golden()
    assert picture is not None
    height = round(TILE_WIDTH * 48 / 64)
    assert picture.shape[0] == 22 + 3 * height
    assert picture.shape[1] > (2 + len(worked)) * TILE_WIDTH
    span = depth_span(list(golden.truth))
    for row in range(3):
        tiles = picture[22 + row * height : 22 + (row + 1) * height]
        frame = cv2.resize(golden.frames[row], (TILE_WIDTH, height))
        np.testing.assert_allclose(tiles[:, :TILE_WIDTH], frame, atol=3)
        for column in range(2, 2 + len(worked)):
            depth = cv2.resize(golden.depth[row], (TILE_WIDTH, height))
            found = tiles[:, column * TILE_WIDTH : (column + 1) * TILE_WIDTH].astype(int)
            assert np.abs(found - colourise(depth, *span)).mean() < 4


def test_an_engine_whose_depth_is_wrong_is_not_drawn(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b", wrong_by=1.1))
    shown = show_frames(bundle, tmp_path / "frames.png")
    assert not any(each.trial.passed for each in shown)
    picture = cv2.imread(str(tmp_path / "frames.png"))
    assert picture is not None
    assert 2 * TILE_WIDTH < picture.shape[1] < 3 * TILE_WIDTH
