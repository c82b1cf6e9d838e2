"""What is measured on a dataset: a trained run in PyTorch, or a bundle in one of its engines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import MANIFEST
from clipdepth.errors import UsageError
from clipdepth.model import DepthModel, load
from clipdepth_train.checkpoint import load_run
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.evaluation import Predict, predictor
from clipdepth_train.recipe import DataConfig, Recipe, decode_recipe
from clipdepth_train.start import find_run_or_bundle

DEFAULT_ENGINE = "onnxruntime"


@dataclass(frozen=True)
class Candidate:
    """A model that can be measured."""

    name: str
    predict: Predict
    frames: DataConfig
    """What it sees of a picture, and how depth is read."""
    data: str
    """What it was trained on."""
    engine: str
    """'pytorch', or the engine's name."""
    precision: str
    mirrored: bool
    """Whether the mirror image's depth is averaged in."""

    def __str__(self) -> str:
        return f"{self.engine} {self.precision}, {'mirrored average' if self.mirrored else 'single pass'}"


@contextmanager
def open_candidate(
    named: str | Path,
    mirror: bool | None = None,
    engine: str | None = None,
    precision: str | None = None,
    device: int | None = None,
) -> Iterator[Candidate]:
    """Load the run or the bundle that `named` means, see `find_folder`; a folder with a manifest is a bundle.

    `mirror` averages in a run's mirrored depth, or not; None does as it was trained. `engine` (ONNX Runtime),
    `precision` (the first) and `device`, a GPU's number, are a bundle's. Raises UsageError for an option of the other
    kind, BundleError or CheckpointError for a damaged folder, and as `load` does for engines.
    """
    path = find_run_or_bundle(named)
    if not (path / MANIFEST).is_file():
        if engine or precision or device is not None:
            raise UsageError(f"--engine, --precision and --device are for bundles and {path} is none; leave them out")
        yield _run(path, mirror)
        return
    if mirror:
        raise UsageError(f"--mirror is for runs: the graphs of {path} make one pass; leave it out, or name the run")
    bundle = open_bundle(path)
    recipe = bundle_recipe(bundle)
    with load(bundle, engine=engine or DEFAULT_ENGINE, precision=precision, device=device) as model:
        name, ran = bundle.path.name, model.engine.name
        yield Candidate(name, bundle_predictor(model), recipe.frames, recipe.data, ran, model.precision, mirrored=False)


def _run(path: Path, mirror: bool | None) -> Candidate:
    model, recipe = load_run(path)
    model.mirror = recipe.mirror if mirror is None else mirror
    predict = predictor(model, recipe.frames)
    return Candidate(path.name, predict, recipe.frames, recipe.data, "pytorch", "fp32", model.mirror)


def bundle_recipe(bundle: Bundle) -> Recipe:
    """The recipe of the bundle's model; raises CheckpointError for one that this version cannot read.

    Without stored masks: an engine of a model with SAM segments by itself, as it does on a device.
    """
    recipe = decode_recipe(bundle.manifest.model.recipe, str(bundle.path))
    return replace(recipe, frames=replace(recipe.frames, segments=""))


def bundle_predictor(model: DepthModel) -> Predict:
    """A bundle's model as a function of RGB-D pairs, whose pictures may have any size."""

    def predict(pair: RgbdPair) -> NDArray[np.float32]:
        return model(np.ascontiguousarray(pair.frame)).depth

    return predict
