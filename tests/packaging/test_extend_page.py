"""The examples of docs/extend.md run as they stand."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import clipdepth
from bundles import brightness_depth, write_bundle
from clipdepth.cli import main
from clipdepth.engines import ENGINES
from clipdepth.sinks.numbered import NumberedSink
from clipdepth.sources import open_source
from clipdepth_train.data.datasets import table
from clipdepth_train.data.datasets.pair import Options
from clipdepth_train.data.datasets.table import Dataset
from clipdepth_train.models import MODELS
from clipdepth_train.recipes import RECIPES
from runs import write_rgbd_folder

PAGE = Path(__file__).parents[2] / "docs" / "extend.md"
BLOCKS = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
FRAMES = np.random.default_rng(5).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the page's modules, from which they can be imported."""
    folder = tmp_path / "modules"
    folder.mkdir()
    for name, text in BLOCKS.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(folder)
    tables: list[dict[str, Any]] = [ENGINES, MODELS, RECIPES]
    before = [dict(each) for each in tables]
    yield folder
    for each, entries in zip(tables, before, strict=True):
        for entry in each.keys() - entries.keys():
            del each[entry]
    for name in BLOCKS:
        sys.modules.pop(name.removesuffix(".py"), None)


def load(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_the_engine_agrees_with_pytorch(modules: Path, tmp_path: Path) -> None:
    exec(BLOCKS["register"], {})
    with clipdepth.load(write_bundle(tmp_path / "b"), engine="reference", precision="fp32") as model:
        assert model.engine.name == "reference"
        assert model.verify().passed
        assert model(FRAMES[0]).depth == pytest.approx(brightness_depth(FRAMES[0]), rel=1e-5)
    wrong = write_bundle(tmp_path / "wrong", wrong_by=1.1)
    with clipdepth.load(wrong, engine="reference", precision="fp32") as model:
        assert not model.verify().passed


def test_the_source_is_streamed_and_the_sink_keeps_its_depth(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, sink = load("npy_source").NpySource, load("f32_sink").write_f32
    monkeypatch.setattr(
        "clipdepth.model.open_source",
        lambda spec, mode: source(spec) if spec.endswith(".npy") else open_source(spec, mode),
    )
    np.save(tmp_path / "x.npy", FRAMES)
    bundle = write_bundle(tmp_path / "b")
    with NumberedSink(tmp_path / "depth.f32", sink) as numbered:
        for frame in clipdepth.stream(bundle, str(tmp_path / "x.npy"), engine="onnxruntime", precision="fp32"):
            assert frame.time == pytest.approx(frame.index / 30)
            numbered.write(frame)
    files = sorted(tmp_path.glob("depth_*.f32"))
    assert [file.name for file in files] == [f"depth_{index:06d}.f32" for index in range(3)]
    for file, picture in zip(files, FRAMES, strict=True):
        kept = np.fromfile(file, "<f4").reshape(48, 64)
        assert kept == pytest.approx(brightness_depth(picture), rel=1e-5)


def test_the_dataset_is_prepared(modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"{table.__package__}.mine", load("mine"))
    monkeypatch.setitem(table.DATASETS, "mine", Dataset("my room", "where", "terms", "mine"))  # type: ignore[arg-type]
    source = tmp_path / "source"
    source.mkdir()
    for number, name in enumerate(("first", "last")):
        cv2.imwrite(str(source / f"{name}.png"), FRAMES[number])
        np.save(source / f"{name}.npy", np.full((48, 64), 1.5 + number, np.float32))
    assert table.prepare("mine", source, tmp_path / "data", Options()) == {"train": 1, "test": 1}
    depths = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in sorted((tmp_path / "data").rglob("*.png"))]
    metres = {float(depth[0, 0]) / 1000 for depth in depths if depth is not None and depth.dtype == np.uint16}
    assert metres == {1.5, 2.5}


def test_the_model_is_trained_and_exported(modules: Path, tmp_path: Path) -> None:
    exec(BLOCKS["register_model"], {})
    data, run, out = write_rgbd_folder(tmp_path / "data", height=32), tmp_path / "run", tmp_path / "plain.bundle"
    size = ["--frames.height", "32", "--frames.width", "64"]
    options = ["--data", str(data), "--out", str(run), *size, "--epochs", "1", "--batch-size", "2"]
    assert main(["train", "plain", *options, "--model.width", "4", "--frames.workers", "0"]) == 0
    assert main(["export", str(run), "--data", str(data), "--out", str(out), "--precision", "fp32"]) == 0
    frame = np.random.default_rng(6).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    with clipdepth.load(out, engine="onnxruntime", precision="fp32") as model:
        assert model(frame).depth == pytest.approx(plain_depth(frame, run / "checkpoint.safetensors"), rel=1e-3)


def plain_depth(frame: Any, checkpoint: Path) -> Any:
    """What the three convolutions answer to a frame, (H, W, 3) uint8 BGR, written out: (H, W) float32 metres."""
    weights = load_file(checkpoint)

    def layer(number: int, x: torch.Tensor, **options: int) -> torch.Tensor:
        weight, bias = (weights[f"network.layers.{number}.{name}"] for name in ("weight", "bias"))
        return F.conv2d(x, weight, bias, **options)

    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    colours = torch.from_numpy((frame[..., ::-1] / np.float32(255) - mean) / deviation).permute(2, 0, 1)[None]
    x = layer(0, colours, stride=2, padding=1).relu()
    x = F.softplus(layer(4, layer(2, x, stride=2, padding=1).relu()))
    return F.interpolate(x, frame.shape[:2], mode="bilinear", align_corners=False)[0, 0].numpy()
