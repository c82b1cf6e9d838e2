"""Models of every family of transformers, held to transformers itself and exported in every precision."""

from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from clipdepth.bundle.agreement import TOLERANCES, compare_depth
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.kind import METRIC
from clipdepth.bundle.manifest import PRECISIONS, InputSize, Licence
from clipdepth.cli import main
from clipdepth.engines import load_engine
from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import Asked
from clipdepth_export.sources.named import named_source
from clipdepth_train.imported.told import Told
from hub_models import FAMILIES, picture, pictures
from tensorrt_cpu.builds import build_all

pytest_plugins = ["tensorrt_cpu.plugin"]
ASKED: dict[str, dict[str, Any]] = {
    "dpt-dinov2": {"kind": "metric", "max_depth": 10.0},
    "glpn": {"size": InputSize(64, 96)},
}
"""What a config does not say."""
EXPORTED = [name for name in FAMILIES if name not in ("depth-anything", "dpt", "dpt-beit")]
"""The graphs of the others are like one of these."""
PADDED = {"zoedepth": {"do_pad": False}}


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of a camera, larger than every input: 16 to calibrate on and 8 held out."""
    return pictures(tmp_path_factory.mktemp("camera") / "seen", 24, 96, 128)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """From a name in FAMILIES to the folder of its tiny model."""

    @cache
    def saved(name: str) -> Path:
        return FAMILIES[name](tmp_path_factory.mktemp("models") / name)

    return saved


@pytest.fixture(scope="session")
def source_of(folder_of: Callable[[str], Path], seen: Path) -> Callable[[str], ExportSource]:
    """From a name in FAMILIES to its source."""

    @cache
    def source(name: str) -> ExportSource:
        return named_source(str(folder_of(name)), Asked(str(seen), told=Told(**ASKED.get(name, {})), focal="unknown"))

    return source


def by_transformers(folder: Path, frame: NDArray[np.uint8], changes: dict[str, Any]) -> NDArray[np.float32]:
    """What transformers' own pipeline makes of a frame, which `changes` of its processor do not pad."""
    pipeline = transformers.pipeline("depth-estimation", model=str(folder))
    for name, value in changes.items():
        setattr(pipeline.image_processor, name, value)
    depth: NDArray[np.float32] = pipeline(Image.fromarray(frame[..., ::-1]))["predicted_depth"].numpy()
    return depth


@pytest.mark.parametrize("name", FAMILIES)
def test_the_answer_is_that_of_transformers_pipeline(
    name: str, source_of: Callable[[str], ExportSource], folder_of: Callable[[str], Path]
) -> None:
    source = source_of(name)
    frame = picture(3, source.height, source.width)
    with torch.no_grad():
        ours = source.module(torch.from_numpy(frame[None])).numpy()[0]
    theirs = by_transformers(folder_of(name), frame, PADDED.get(name, {}))
    if source.depth:
        theirs = theirs.clip(source.depth.minimum, source.depth.maximum)
    assert ours.std() > 0.005 * np.abs(ours).mean()  # the picture counts, so that a mixed-up channel or axis shows
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "kind", "most", "size"),
    [
        ("depth-anything", "disparity", None, (56, 70)),
        ("depth-anything-metric", METRIC, 20, (56, 70)),
        ("dpt", "disparity", None, (32, 32)),
        ("dpt-hybrid", "disparity", None, (32, 32)),
        ("dpt-beit", "disparity", None, (32, 32)),
        ("dpt-dinov2", METRIC, 10, (56, 56)),
        ("glpn", METRIC, 10, (64, 96)),
        ("zoedepth", METRIC, 10, (32, 64)),
        ("depth-pro", METRIC, 10_000, (128, 128)),
        ("tipsv2", METRIC, 10, (56, 56)),
    ],
)
def test_what_a_model_says_of_itself(
    name: str, kind: str, most: float | None, size: tuple[int, int], source_of: Callable[[str], ExportSource]
) -> None:
    source = source_of(name)
    assert source.kind == kind
    assert (source.depth and source.depth.maximum) == most
    assert (source.height, source.width) == size
    assert source.camera is None
    assert source.licences == [Licence(name, "apache-2.0")]
    assert (source.name, source.model.origin) == (name, name)


@pytest.fixture(scope="session")
def bundle_of(
    folder_of: Callable[[str], Path], seen: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Bundle]:
    """From a name in EXPORTED to its bundle, as a user writes it."""

    @cache
    def bundle(name: str) -> Bundle:
        out = tmp_path_factory.mktemp("bundles") / f"{name}.bundle"
        arguments = ["export", str(folder_of(name)), "--frames", str(seen), "--out", str(out), "--focal", "unknown"]
        # Random weights lose more in int8 than trained ones; leaving layers out is tested elsewhere, and slow.
        arguments += ["--precision", *PRECISIONS, "--licence", "MIT", "--tolerance", "int8=0.3"]
        for option, value in ASKED.get(name, {}).items():
            text = f"{value.height}x{value.width}" if isinstance(value, InputSize) else str(value)
            arguments += [f"--{option.replace('_', '-')}", text]
        assert main(arguments) == 0
        return open_bundle(out)

    return bundle


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_every_precision_verifies_on_both_engines_and_fits_tensorrt(
    name: str, bundle_of: Callable[[str], Bundle], source_of: Callable[[str], ExportSource], tensorrt: object
) -> None:
    bundle, source = bundle_of(name), source_of(name)
    manifest = bundle.manifest
    assert manifest.precisions == list(PRECISIONS)
    assert (manifest.kind, manifest.depth, manifest.camera) == (source.kind, source.depth, None)
    assert Licence(name, "MIT") in manifest.licences
    for engine in ("onnxruntime", "openvino"):
        assert main(["verify", str(bundle.path), "--engine", engine]) == 0
    unseen = picture(99, source.height, source.width)[None]
    with torch.no_grad():
        expected = source.module(torch.from_numpy(unseen)).numpy()
    for engine in ("onnxruntime", "openvino"):
        with closing(load_engine(bundle, engine)) as loaded:
            assert compare_depth(loaded.infer(unseen).depth, expected, TOLERANCES["fp32"], kind=source.kind).passed
    build_all(bundle)
