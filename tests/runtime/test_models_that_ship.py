"""The models in the box: small enough to ship, right on every engine here, and near the depth that was measured."""

import zlib
from contextlib import closing

import numpy as np
import pytest

from clipdepth.bundle.box import BOX, model_names
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.metrics import depth_metrics, mean_metrics
from clipdepth.engines import infer_golden, load_engine, verify_engine

MOST_BYTES = 30_000_000
"""Of all models together, as the wheel packs them."""


def test_they_fit_in_the_wheel() -> None:
    assert "edge-nyu" in model_names()
    files = [file.read_bytes() for file in BOX.rglob("*") if file.is_file()]
    assert sum(len(zlib.compress(content)) for content in files) <= MOST_BYTES


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", model_names())
def test_every_graph_agrees_with_pytorch_and_with_the_sensor(name: str, engine: str) -> None:
    pytest.importorskip(engine)
    bundle = open_bundle(name)
    golden = bundle.golden()
    for precision in bundle.manifest.precisions:
        with closing(load_engine(bundle, engine, precision)) as loaded:
            assert verify_engine(loaded, bundle, precision).passed, precision
            depth = infer_golden(loaded.infer, golden).depth
        frames = [depth_metrics(*pair, max_depth=10) for pair in zip(depth, golden.truth, strict=True)]
        metrics = mean_metrics([frame for frame in frames if frame is not None])
        # Eight frames: near what the manifest says of all, and far from what a constant depth reaches, 0.4.
        assert metrics.rel < 0.25, precision


@pytest.mark.parametrize("name", model_names())
def test_what_it_may_be_used_for_and_what_it_reaches_is_stated(name: str) -> None:
    manifest = open_bundle(name).manifest
    licences = {licence.part: licence.licence for licence in manifest.licences}
    assert licences["clipdepth code"] == "MIT"
    assert any("NYU Depth v2" in part and "research" in licence for part, licence in licences.items())
    assert any("weights" in part and licence == "Apache-2.0" for part, licence in licences.items())
    measured = [each for each in manifest.accuracy if each.data == "nyu" and each.crop == "eigen"]
    assert {each.align for each in measured} == {"none", "median"}
    assert all(np.isfinite(each.metrics.rel) and each.frames == 327 for each in measured)
    assert manifest.weights
