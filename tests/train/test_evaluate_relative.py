"""`clipdepth evaluate` of bundles whose answer is not metric, and which clipdepth did not train.

The pictures hold their exact depth in their brightness, which is what the bundle answers.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runs
from bundles import write_bundle
from clipdepth.bundle.kind import DepthKind
from clipdepth.cli import main
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.layout import write_rgb

kinds = pytest.mark.parametrize("kind", ["relative", "disparity"])


@pytest.fixture
def data_of(tmp_path: Path) -> Callable[[DepthKind], Path]:
    def write(kind: DepthKind) -> Path:
        folder = runs.write_rgbd_folder(tmp_path / "data", train=1, test=2)
        pairs = FolderSet(folder, "test", 1000.0, 10.0)
        for path, pair in zip(pairs.pictures, (pairs[i] for i in range(2)), strict=True):
            values = 1 / pair.depth if kind == "disparity" else pair.depth
            grey = np.rint((values - values.min()) / np.ptp(values) * 255).astype(np.uint8)
            write_rgb(path, np.repeat(grey[..., None], 3, axis=2))
        return folder

    return write


@kinds
def test_it_is_aligned_by_least_squares_and_says_so(
    kind: DepthKind, data_of: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any
) -> None:
    data, file = data_of(kind), tmp_path / "e.json"
    bundle = write_bundle(tmp_path / "b.bundle", 64, 64, kind=kind)
    assert main(["evaluate", str(bundle), "--data", str(data), "--baseline", "--json", str(file)]) == 0
    report = json.loads(file.read_text())
    assert (report["kind"], report["align"], report["frames"]) == (kind, "lsq", 2)
    assert report["metrics"]["b.bundle"]["rel"] < 0.02
    assert report["metrics"]["b.bundle"]["delta1"] > 0.99
    assert report["metrics"]["constant median"]["rel"] > 0.1
    truth = "the inverse of its true depth" if kind == "disparity" else "its true depth"
    said = " ".join(capsys.readouterr().out.split())
    assert f"each image's scale and shift fitted to {truth} by least squares" in said


@kinds
def test_what_cannot_be_measured_is_one_line(
    kind: DepthKind, data_of: Callable[[DepthKind], Path], tmp_path: Path, capsys: Any
) -> None:
    data, bundle = data_of(kind), write_bundle(tmp_path / "b.bundle", 64, 64, kind=kind)
    cases = {"give --data": [], "--align none cannot measure": ["--data", str(data), "--align", "none"]}
    if kind == "disparity":
        cases["give --align lsq"] = ["--data", str(data), "--align", "median"]
    for expected, options in cases.items():
        assert main(["evaluate", str(bundle), *options]) == 2
        err = capsys.readouterr().err
        assert expected in err
        assert err.count("\n") == 1


def test_relative_depth_may_be_scaled_to_the_median(data_of: Callable[[DepthKind], Path], tmp_path: Path) -> None:
    data, file = data_of("relative"), tmp_path / "e.json"
    bundle = write_bundle(tmp_path / "b.bundle", 64, 64, kind="relative")
    arguments = ["--data", str(data), "--align", "median", "--json", str(file)]
    assert main(["evaluate", str(bundle), *arguments]) == 0
    assert json.loads(file.read_text())["align"] == "median"
