"""The examples of docs/extend.md run as they stand."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

import clipdepth
from bundles import brightness_depth, write_bundle
from clipdepth.engines import ENGINES
from clipdepth.sinks.numbered import NumberedSink
from clipdepth.sources import open_source
from clipdepth_train.data.datasets import table
from clipdepth_train.data.datasets.pair import Options
from clipdepth_train.data.datasets.table import Dataset

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
    before = dict(ENGINES)
    yield folder
    for entry in ENGINES.keys() - before.keys():
        del ENGINES[entry]
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
