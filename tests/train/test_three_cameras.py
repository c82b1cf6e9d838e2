"""Rooms at three focal lengths, and by a camera of larger pictures: one model, and each camera's metres are right.

A picture tells how large things look, not how far they are: at focal length f and depth d it is what the canonical
camera, of focal length F, would see at d·F/f. The pictures here tell just that, as grey levels, so that a network of
seconds learns to read it; what has to be right for each camera is everything around the network.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import clipdepth
import runs
from clipdepth.camera.camera import Camera
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cli import main
from clipdepth.rooms import Room
from clipdepth_export.exporter import write_bundle
from clipdepth_export.sources.run import run_source
from clipdepth_train.data.folder import read_frame
from clipdepth_train.data.loader import TrainingPairs
from clipdepth_train.models import EdgeConfig
from clipdepth_train.recipe import AugmentConfig, DataConfig, LossConfig, OptimConfig, Recipe
from clipdepth_train.training_data import open_training
from train.rgbd_files import write_png

HEIGHT, WIDTH, CANONICAL = 48, 64, 56.0
MAX_DEPTH = 12.0
TRAIN, TEST = 12, 2
STILL = AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0)
Depth = NDArray[np.float32]


@dataclass(frozen=True)
class Filming:
    """A camera of the test; `scale` is the size of its pictures in those of the canonical one."""

    name: str
    focal: float
    scale: int = 1

    @property
    def intrinsics(self) -> Intrinsics:
        width, height = self.scale * WIDTH, self.scale * HEIGHT
        return Intrinsics(width, height, self.focal, self.focal, (width - 1) / 2, (height - 1) / 2)

    @property
    def ratio(self) -> float:
        """Its focal length in the canonical one, for pictures of one size."""
        return self.focal / self.scale / CANONICAL


CAMERAS = (
    Filming("canonical", CANONICAL),
    Filming("wide", 0.7 * CANONICAL),
    Filming("long", 1.5 * CANONICAL),
    Filming("large", 2 * 1.2 * CANONICAL, 2),
)


def grey(depth: Depth) -> NDArray[np.uint8]:
    """What the canonical camera sees at `depth`, (H, W, 3)."""
    level = np.rint(np.clip(depth / MAX_DEPTH, 0, 1) * 255).astype(np.uint8)
    return np.repeat(level[..., None], 3, axis=2)


def write_views(folder: Path, camera: Filming) -> Path:
    """Views of rooms by one camera, as lists with its intrinsics."""
    pinhole = camera.intrinsics
    words = f"{pinhole.fx} {pinhole.fy} {pinhole.cx} {pinhole.cy}"
    for seed, (split, count) in enumerate((("train", TRAIN), ("test", TEST))):
        room, lines = Room(seed), []
        for index in range(count):
            depth = room.render(1.5 * index, pinhole).depth
            write_png(folder / f"{split}_{index}.png", grey(depth / np.float32(camera.ratio)))
            write_png(folder / f"{split}_{index}_depth.png", np.rint(depth * 1000).astype(np.uint16))
            lines.append(f"{split}_{index}.png {split}_{index}_depth.png {words}\n")
        (folder / f"{split}.txt").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("cameras")
    return {camera.name: write_views(top / camera.name, camera) for camera in CAMERAS}


def recipe_of(folders: dict[str, Path]) -> Recipe:
    tiny = runs.TINY_EDGE
    return Recipe(
        EdgeConfig(tiny.trunk, width=8, bins=24, max_depth=MAX_DEPTH),
        tuple(map(str, folders.values())),
        DataConfig(HEIGHT, WIDTH, max_depth=MAX_DEPTH, workers=0),
        augment=STILL,
        optim=OptimConfig(learning_rate=1e-2, trunk_learning_rate=1e-2),
        loss=LossConfig("silog", silog_lambda=0.5),
        epochs=20,
        batch_size=8,
        evaluate_every=1000,
        save_every=10_000,
    )


@pytest.fixture(scope="module")
def run(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model of all cameras."""
    return runs.train_recipe(tmp_path_factory.mktemp("runs") / "all", recipe_of(folders))


@pytest.fixture(scope="module")
def bundle(run: Path) -> Path:
    write_bundle(run_source(run), run.with_name("all.bundle"))
    return run.with_name("all.bundle")


def renderers(camera: Filming, split: int, index: int) -> Depth:
    """The depth of a view, straight from the renderer."""
    return Room(split).render(1.5 * index, camera.intrinsics).depth


def test_the_loss_sees_every_camera_at_the_canonical_scale(folders: dict[str, Path]) -> None:
    recipe = recipe_of(folders)
    pairs = open_training(recipe).pairs
    batches = TrainingPairs(pairs, recipe)
    assert pairs.focal == (CANONICAL, CANONICAL)
    for number, camera in enumerate(CAMERAS):
        seen = batches[0, TRAIN * number + 3, 0]
        assert seen["frame"].shape == (HEIGHT, WIDTH, 3)
        expected = renderers(camera, 0, 3) / camera.ratio
        expected = expected[camera.scale // 2 :: camera.scale, camera.scale // 2 :: camera.scale]
        target = seen["depth"].numpy()
        assert 0.5 < expected.min() < expected.max() < MAX_DEPTH
        # A quarter of the large camera's pixels are kept, whichever of each four.
        close = np.isclose(target, expected, rtol=0.02 if camera.scale > 1 else 0, atol=1e-3)
        assert close.mean() > (0.9 if camera.scale > 1 else 0.9999), camera.name


@pytest.mark.parametrize("engine", ["pytorch", "onnxruntime"])
@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
def test_the_run_and_its_bundle_are_right_on_each_camera(
    folders: dict[str, Path], run: Path, bundle: Path, camera: Filming, engine: str, tmp_path: Path
) -> None:
    """A wrong scale would be at least 0.2 off, the wide camera's 0.4 and the long one's 0.3."""
    report = tmp_path / "report.json"
    model = run if engine == "pytorch" else bundle
    assert main(["evaluate", str(model), "--data", str(folders[camera.name]), "--json", str(report)]) == 0
    found: dict[str, Any] = json.loads(report.read_text())
    assert (found["engine"], found["frames"]) == (engine, TEST)
    assert found["metrics"][model.name]["rel"] < 0.1


def test_the_bundle_says_the_canonical_camera(bundle: Path) -> None:
    camera = json.loads((bundle / "manifest.json").read_text())["camera"]
    assert (camera["fx"], camera["fy"]) == pytest.approx((CANONICAL, CANONICAL))


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
def test_the_runtime_gives_each_camera_its_metres(folders: dict[str, Path], bundle: Path, camera: Filming) -> None:
    told = Camera.from_focal(camera.focal)
    with clipdepth.load(bundle, engine="onnxruntime", camera=told) as model:
        for index in range(TEST):
            found = model(read_frame(folders[camera.name] / f"test_{index}.png")).depth
            truth = renderers(camera, 1, index)
            assert found.shape == truth.shape
            assert float(np.median(found / truth)) == pytest.approx(1, abs=0.05)


def test_a_camera_that_is_not_told_is_off_by_its_focal_length(folders: dict[str, Path], bundle: Path) -> None:
    """Which shows that the pictures do not give the metres away."""
    wide = CAMERAS[1]
    with clipdepth.load(bundle, engine="onnxruntime", camera=Camera.from_focal(CANONICAL)) as model:
        found = model(read_frame(folders["wide"] / "test_0.png")).depth
    assert float(np.median(found / renderers(wide, 1, 0))) == pytest.approx(1 / wide.ratio, rel=0.05)
