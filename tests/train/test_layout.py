"""What a frame's files hold."""

from pathlib import Path

import cv2
import numpy as np

from clipdepth_train.data.layout import write_depth


def test_depth_is_rounded_and_what_cannot_be_told_is_no_reading(tmp_path: Path) -> None:
    metres = [0.0004, 0.0006, 1.2344, 1.2346, 65.534, 65.535, 1e9, -1.0, np.nan, np.inf, -np.inf]
    write_depth(tmp_path / "depth.png", np.array([metres], np.float32))
    written = cv2.imread(str(tmp_path / "depth.png"), cv2.IMREAD_UNCHANGED)
    assert np.asarray(written).tolist() == [[0, 1, 1234, 1235, 65534, 0, 0, 0, 0, 0, 0]]
