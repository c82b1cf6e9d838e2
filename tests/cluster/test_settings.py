"""What an archive was made with, as earlier versions wrote it."""

import json
from dataclasses import asdict
from pathlib import Path

from clipdepth.cluster.archive.settings import FILE, SCHEMA, Settings, read_settings
from clipdepth.cluster.archive.uri import open_uri


def test_what_was_not_said_of_the_camera_makes_no_difference(tmp_path: Path) -> None:
    now = Settings("0" * 64, "onnxruntime", "fp32", "mkv", 1, 0.0, None, {"fov": 70.0})
    out = open_uri(str(tmp_path))
    # Before there was a field of view of undistorted pictures all fields of the camera were written.
    before = {"schema": SCHEMA, **asdict(now), "camera": {"focal_px": None, "fov": 70.0, "calibration": None}}
    (tmp_path / FILE).write_text(json.dumps(before))
    found = read_settings(out)
    assert found is not None
    assert now.after(found, out) == now
