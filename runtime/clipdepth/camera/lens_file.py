"""The file of a calibrated lens, as OpenCV's calibration writes it, marked with the lens's model."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from clipdepth.camera.checkerboard import Checkerboard
from clipdepth.camera.lens_fit import LensFit
from clipdepth.files.atomic import atomic_file

SUFFIXES = (".yml", ".yaml", ".xml")
"""What `write_lens` can write."""


def write_lens(path: Path, fit: LensFit, board: Checkerboard) -> None:
    """Write a .yml, .yaml or .xml file that `--calibration` and cv2.FileStorage read, whole or not at all."""
    fields: dict[str, Any] = {
        "image_width": fit.intrinsics.width,
        "image_height": fit.intrinsics.height,
        "board_width": board.columns,
        "board_height": board.rows,
        "square_size": board.square,
        "nr_of_frames": fit.views,
        # The second is what OpenCV's own sample writes.
        "distortion_model": fit.model,
        "fisheye_model": int(fit.model == "fisheye"),
        "camera_matrix": fit.intrinsics.matrix,
        "distortion_coefficients": np.array(fit.distortion)[:, None],
        "avg_reprojection_error": fit.error,
    }
    with atomic_file(path) as partial:
        storage = cv2.FileStorage(str(partial), cv2.FILE_STORAGE_WRITE)
        for name, value in fields.items():
            storage.write(name, value)
        storage.release()
