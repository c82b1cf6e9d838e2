"""Trained runs of every kind of model, exported once a session."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from rich.console import Console

from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth_export.exporter import write_bundle
from clipdepth_export.sources.run import run_source
from clipdepth_train.checkpoint import CHECKPOINT, load_run, read_checkpoint, save_checkpoint
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.segments import segment_folder
from clipdepth_train.models import (
    ClipAdapterConfig,
    CoarseAdapterConfig,
    DepthClipConfig,
    EdgeConfig,
    EigenConfig,
    MsaConfig,
    SpaceConfig,
)
from clipdepth_train.models.eigen import CoarseToFine
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig, OptimConfig
from clipdepth_train.segmentation import SamConfig
from runs import MOBILE_EDGE, train_tiny_run, write_rgbd_folder
from tiny_clip import TINY_CLIP, TINY_VIT
from traces import KeptTraces

# Pictures are twice as wide as the input and as high, so that a mixed-up axis shows.
PICTURE, INPUT = (64, 192), DataConfig(64, 96, workers=0)
TINY = PretrainedConfig(TINY_CLIP, "none")
MIRRORED = {"mirror": True, "normalisation": "imagenet"}
RECIPES: dict[str, dict[str, Any]] = {
    "depthclip": {"model": DepthClipConfig(TINY, temperature=0.01), "epochs": 0, **MIRRORED},
    "msa": {"model": MsaConfig(TINY), "optim": OptimConfig(), **MIRRORED},
    "msa-initial": {
        "model": MsaConfig(TINY, initial_depth=True, temperature=0.01),
        "optim": OptimConfig(),
        **MIRRORED,
    },
    "clip-adapter": {"model": ClipAdapterConfig(TINY, temperature=0.01), "optim": OptimConfig(), **MIRRORED},
    "eigen": {"model": EigenConfig(), **MIRRORED},
    "refined": {"model": CoarseAdapterConfig(TINY, refined=True, temperature=0.01), "optim": OptimConfig()},
    "edge": {"normalisation": "clip"},
    "mobile": {"model": MOBILE_EDGE, "epochs": 0},
    "space": {"model": SpaceConfig(PretrainedConfig(TINY_VIT, "none"), (1, 2, 3, 5), width=8, bins=8)},
}
WITH_SAM = {"model": MsaConfig(TINY, segmentation=True), "optim": OptimConfig(), **MIRRORED}
SAM = SamConfig("mini", "none", points_per_side=4, pred_iou_thresh=0, stability_score_thresh=0)


@pytest.fixture(scope="session", autouse=True)
def kept_traces() -> Iterator[None]:
    """The same network is traced once a session, whatever is done with its graph."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", KeptTraces(torch.onnx.export))
        yield


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RGB-D pairs, 2 to train and 9 to test."""
    return write_rgbd_folder(tmp_path_factory.mktemp("private") / "rooms-pairs", 2, 9, *PICTURE)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RGB-D pairs, 64 to calibrate int8 on and 9 to test."""
    return write_rgbd_folder(tmp_path_factory.mktemp("private") / "many-pairs", 64, 9, *PICTURE)


@pytest.fixture(scope="session")
def segments(data: Path, many: Path) -> str:
    """The name of what a tiny SAM painted of both."""
    segment_folder(many, SAM, Console(quiet=True))
    return segment_folder(data, SAM, Console(quiet=True))[0]


@pytest.fixture(scope="session")
def clip_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights of the tiny CLIP."""
    path = tmp_path_factory.mktemp("private") / "tiny-weights.pt"
    torch.manual_seed(7)
    torch.save(open_clip.create_model(TINY_CLIP).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def export_once(data: Path, clip_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    """From a name in RECIPES to the bundle of its run, which lies beside it without `.bundle`."""

    @cache
    def export(kind: str) -> Bundle:
        weights = PretrainedConfig(TINY_CLIP, str(clip_weights))
        changes = {"model": EdgeConfig(weights, width=8, bins=8), **RECIPES[kind]}
        folder = tmp_path_factory.mktemp("runs")
        if kind == "refined":
            coarse = {**changes, "model": replace(changes["model"], refined=False)}
            changes["start"] = str(train_tiny_run(folder / "coarse", data, frames=INPUT, **coarse))
        run = train_tiny_run(folder / kind, data, frames=INPUT, **changes)
        if isinstance(changes["model"], EdgeConfig | SpaceConfig):
            _enliven(run, data)
        if isinstance(changes["model"], EigenConfig | CoarseAdapterConfig):
            _spread(run, data)
        bundle = run.with_name(f"{kind}.bundle")
        write_bundle(run_source(run), bundle)
        return open_bundle(bundle)

    return export


def _training_frames(data: Path) -> torch.Tensor:
    pairs = open_set(str(data), "train", INPUT)
    return torch.stack([torch.from_numpy(pairs[i].frame[:, ::2].copy()) for i in range(len(pairs))])


def _enliven(run: Path, data: Path) -> None:
    """Give a barely trained model of bins batch norms that fit its data and a steep head: depth then spans metres."""
    model, recipe = load_run(run)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.train()
            module.momentum = 1.0
    with torch.no_grad():
        model(_training_frames(data))
        model.network.head.score.weight *= 4  # type: ignore[operator,union-attr]
    _, _, state = read_checkpoint(run / CHECKPOINT)
    save_checkpoint(run / CHECKPOINT, model.state_dict(), recipe, state)


def _spread(run: Path, data: Path) -> None:
    """Scale and shift the last layer of a barely trained network of two stacks: depth is then 4 ± 1 m."""
    model, recipe = load_run(run)
    network = model.network
    assert isinstance(network, CoarseToFine)
    stack: Any = network.coarse.connected if network.refining is None else network.refining.mix
    with torch.no_grad():
        depth = network.native(model.image(_training_frames(data)))
        stack[-1].weight /= depth.std()
        stack[-1].bias.copy_((stack[-1].bias - depth.mean()) / depth.std() + 4)
    _, _, state = read_checkpoint(run / CHECKPOINT)
    save_checkpoint(run / CHECKPOINT, model.state_dict(), recipe, state)


@pytest.fixture(scope="session")
def sam_run(data: Path, segments: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a model that takes SAM's masks."""
    frames = replace(INPUT, segments=segments)
    return train_tiny_run(tmp_path_factory.mktemp("runs") / "sam", data, frames=frames, **WITH_SAM)


@pytest.fixture(scope="session")
def kinds() -> Sequence[str]:
    """Every kind of model."""
    return tuple(RECIPES)


@pytest.fixture(params=RECIPES)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of model in turn."""
    name: str = request.param
    return name


@pytest.fixture
def exported(kind: str, export_once: Callable[[str], Bundle]) -> Bundle:
    """The bundle of each kind of model in turn."""
    return export_once(kind)


@pytest.fixture
def edge(export_once: Callable[[str], Bundle]) -> Bundle:
    """The bundle of the tiny edge model."""
    return export_once("edge")
