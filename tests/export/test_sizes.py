"""One bundle of several sizes: a graph of each from one set of weights, each held to PyTorch, or left out at all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx.external_data_helper import ExternalDataInfo
from onnx.numpy_helper import to_array
from torch import Tensor, nn

from clipdepth.bundle.agreement import Tolerance
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import DepthRange, InputSize, Precision, TrainingCamera
from clipdepth.engines import load_engine, verify_engine
from clipdepth_export.exporter import ExportConfig, write_bundle
from clipdepth_export.graph import SHARED, ExportError
from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import describe
from clipdepth_export.sources.pictures import PictureFrames
from clipdepth_export.sources.run import run_source
from clipdepth_export.variants import Variants
from clipdepth_train.checkpoint import load_run
from clipdepth_train.models import EdgeConfig
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig
from runs import train_tiny_run
from small_graphs import convolutions, frames
from tiny_clip import TINY_CLIP

TINY = PretrainedConfig(TINY_CLIP, "none")
OTHERS = [(96, 64), (64, 128)]
SIZES = [(64, 96), *OTHERS]
LOOSE = {"fp16": Tolerance(0.05), "int8": Tolerance(0.3)}
"""The tiny models here have barely learned, and lose more than real ones."""


@pytest.fixture(scope="module")
def run(export_once: Callable[[str], Bundle]) -> Path:
    return export_once("edge").path.with_suffix("")


@pytest.fixture(scope="module")
def sized(run: Path, many: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("sized") / "edge.bundle"
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8")
    exported = write_bundle(
        run_source(run, str(many)), out, ExportConfig(precisions, tolerances=LOOSE, other_sizes=OTHERS)
    )
    assert exported.refused == {}
    return open_bundle(out)


def test_it_has_every_graph_at_every_size(sized: Bundle) -> None:
    assert [(size.height, size.width) for size in sized.manifest.inputs] == SIZES
    for height, width in SIZES:
        view = sized.at(height, width).manifest
        assert [graph.label for graph in view.graphs] == ["fp32", "fp16", "int8 cpu", "int8 tensorrt"]
        assert all(graph.verification.passed and graph.verification.frames == 9 for graph in view.graphs)
    shapes = [
        [dim.dim_value for dim in _graph(view, "fp16").graph.input[0].type.tensor_type.shape.dim]
        for view in sized.sizes
    ]
    assert shapes == [[1, height, width, 3] for height, width in SIZES]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_its_depth_is_pytorchs_at_each_size(run: Path, sized: Bundle, size: tuple[int, int], precision: str) -> None:
    model, view = load_run(run)[0].deployable(), sized.at(*size)
    frames = view.golden().frames
    with torch.inference_mode():
        wanted = model(torch.from_numpy(frames)).numpy()
    engine = load_engine(sized, "onnxruntime", precision)
    found = np.concatenate([engine.infer(frame[None]).depth for frame in frames])
    assert found.shape == wanted.shape == frames.shape[:3]
    assert np.abs(found / wanted - 1).mean() < {"fp32": 1e-5, "fp16": 2e-2, "int8": 0.2}[precision]
    assert verify_engine(engine, view, precision).passed


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_all_sizes_share_their_weights(sized: Bundle, precision: str) -> None:
    """Every large tensor lies once in one file, wherever it is used, but for the matrices that resize to one size."""
    places: dict[str, set[tuple[str, int, int]]] = {}
    for view in sized.sizes:
        for placement in ("cpu", "tensorrt") if precision == "int8" else ("cpu",):
            for tensor in _graph(view, precision, placement).graph.initializer:
                if tensor.external_data:
                    found = ExternalDataInfo(tensor)
                    places.setdefault(f"{placement} {tensor.name}", set()).add(
                        (found.location, found.offset, found.length)
                    )
                else:
                    assert len(tensor.raw_data) < SHARED
    learned = {name: place for name, place in places.items() if "upsample" not in name}
    assert len(learned) > 10
    assert {len(place) for place in learned.values()} == {1}
    (weights,) = {location for place in places.values() for location, _, _ in place}
    used = sum(length for _, _, length in set().union(*places.values()))
    assert (sized.path / weights).stat().st_size == used


def test_golden_frames_of_other_sizes_are_few_and_unmeasured(sized: Bundle) -> None:
    first, *others = (view.golden() for view in sized.sizes)
    assert (first.truth > 0).any()
    for golden, size in zip(others, OTHERS, strict=True):
        assert golden.frames.shape == (2, *size, 3)
        assert not golden.truth.any()


def _graph(view: Bundle, precision: str, placement: str = "cpu") -> onnx.ModelProto:
    return onnx.load(view.graph(precision, placement), load_external_data=False)  # type: ignore[arg-type]


class Plain(nn.Module):
    """A small network; as it was trained, it answers 2% more of wide pictures."""

    def __init__(self, trained: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trained = trained
        self.mix = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, frame: Tensor) -> Tensor:
        depth = self.mix(frame.float().permute(0, 3, 1, 2) / 255).relu().mean(dim=1) + 1
        return depth * 1.02 if self.trained and frame.shape[2] > 100 else depth


class Growing(nn.Module):
    """Another network where pictures are wide."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, frame: Tensor) -> Tensor:
        picture = frame.float().permute(0, 3, 1, 2) / 255
        mixed = self.mix(picture).relu()
        if frame.shape[2] > 100:
            mixed = mixed.sqrt()
        return mixed[:, 0] + 1


@pytest.mark.parametrize(
    ("config", "sizes"), [(ExportConfig(), [(64, 96), (96, 64)]), (ExportConfig(other_sizes=[]), [(64, 96)])]
)
def test_a_run_has_the_sizes_that_it_was_trained_on(
    data: Path, tmp_path: Path, config: ExportConfig, sizes: list[tuple[int, int]]
) -> None:
    frames = DataConfig(64, 96, workers=0, other_sizes=((96, 64),))
    run = train_tiny_run(tmp_path / "run", data, frames=frames, model=EdgeConfig(TINY, width=8, bins=8), epochs=0)
    write_bundle(run_source(run), tmp_path / "run.bundle", config)
    found = open_bundle(tmp_path / "run.bundle").manifest.inputs
    assert [(size.height, size.width) for size in found] == sizes


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for index in range(24):
        small = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"pictures/{index:02}.png"), cv2.resize(small, (96, 64)))
    return tmp_path / "pictures"


def _source(module: nn.Module, pictures: Path) -> ExportSource:
    size = InputSize(64, 96)
    return ExportSource(
        name="own",
        module=module.eval().requires_grad_(False),
        model=describe(module, size, "test"),
        height=64,
        width=96,
        frames=PictureFrames(str(pictures)),
        depth=DepthRange(1e-3, 1e3),
        camera=TrainingCamera(80.0, 80.0),
        licences=[],
    )


def test_a_graph_that_one_size_refuses_is_left_out_at_all(pictures: Path, tmp_path: Path) -> None:
    limits = {"fp32": Tolerance(0.05), "fp16": Tolerance(0.01)}
    config = ExportConfig(("fp32", "fp16"), tolerances=limits, other_sizes=[(64, 128), (96, 64)])
    source = replace(_source(Plain(), pictures), trained=Plain(trained=True))
    exported = write_bundle(source, tmp_path / "own.bundle", config)
    assert list(exported.refused) == ["fp16"]
    assert exported.refused["fp16"].startswith("the fp16 at 64x128 graph differs from PyTorch")
    bundle = open_bundle(tmp_path / "own.bundle", any_tolerance=True)
    assert [[graph.label for graph in view.manifest.graphs] for view in bundle.sizes] == [["fp32"]] * 3
    assert not list(bundle.path.glob("*fp16*"))


def test_a_network_that_changes_with_its_size_needs_bundles_of_its_own(pictures: Path, tmp_path: Path) -> None:
    config = ExportConfig(("fp32",), other_sizes=[(64, 128)])
    with pytest.raises(ExportError, match="another graph at another size"):
        write_bundle(_source(Growing(), pictures), tmp_path / "own.bundle", config)
    assert not (tmp_path / "own.bundle").exists()


@pytest.mark.parametrize("bright", [0, 1])
def test_the_ranges_of_int8_hold_what_every_size_shows(bright: int, tmp_path: Path) -> None:
    layers = [np.eye(3, dtype=np.float32), np.ones((1, 3), np.float32)]
    graph, pictures = convolutions(tmp_path / "fp32.onnx", layers), frames(16)
    shown = [pictures if size == bright else pictures // 8 for size in (0, 1)]
    unknown = np.zeros(pictures.shape[:3], np.float32)
    training = [Golden(part, unknown, unknown) for part in shown]
    variants = Variants([graph, graph], training, "metric", lambda steps, _: steps)
    made, refused = variants.make_all("int8", Tolerance(0.05))
    assert refused == {}
    # cpu quantises what the last layer makes too, the sum of a pixel's colours; tensorrt what goes into it.
    largest = {"cpu": pictures.sum(axis=-1).max() / 255, "tensorrt": pictures.max() / 255}
    for of_size in (size for sizes in made for size in sizes):
        scales = {tensor.name: to_array(tensor) for tensor in of_size.model.graph.initializer}
        steps = [node for node in of_size.model.graph.node if node.op_type == "QuantizeLinear"]
        widest = max(float(scales[node.input[1]].max()) for node in steps)
        levels = 127 if of_size.placement == "tensorrt" else 255
        assert of_size.placement is not None
        assert widest * levels == pytest.approx(largest[of_size.placement], rel=0.02)


def test_the_same_size_twice_is_one(pictures: Path, tmp_path: Path) -> None:
    write_bundle(_source(Plain(), pictures), tmp_path / "own.bundle", ExportConfig(other_sizes=[(64, 96), (64, 96)]))
    assert open_bundle(tmp_path / "own.bundle").manifest.other_sizes == []
