"""What is measured on a dataset: a trained run in PyTorch, or a bundle in one of its engines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import MANIFEST, TrainingCamera
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.engines import DEFAULT, Engine
from clipdepth.errors import UsageError
from clipdepth.model import DepthModel, load
from clipdepth_train.checkpoint import load_run_and_state
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.evaluation import AnswerTo, Predict, answerer
from clipdepth_train.named_data import measured_data
from clipdepth_train.recipe import DataConfig
from clipdepth_train.recipe_record import decode_recipe
from clipdepth_train.start import find_run_or_bundle


@dataclass(frozen=True)
class Candidate:
    """A model that can be measured."""

    name: str
    answer: AnswerTo
    frames: DataConfig
    """What it sees of a picture, and how depth is read."""
    data: str
    """What it was trained on: the first dataset that has depth; empty where clipdepth did not train it."""
    engine: str
    """'pytorch', or the engine's name."""
    precision: str
    mirrored: bool
    """Whether the mirror image's depth is averaged in."""
    kind: DepthKind = METRIC
    """What it answers."""

    def predict(self, pair: RgbdPair) -> NDArray[np.float32]:
        """The depth of a pair's frame, see `Predict`."""
        return self.answer(pair).depth

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
    frames, data = bundle_frames(bundle)
    with load(bundle, engine=engine or DEFAULT, precision=precision, device=device) as model:
        yield Candidate(
            bundle.name,
            bundle_answerer(bundle, model.engine, model.precision),
            frames,
            data,
            model.engine.name,
            model.precision,
            mirrored=False,
            kind=bundle.manifest.kind,
        )


def _run(path: Path, mirror: bool | None) -> Candidate:
    model, recipe, state = load_run_and_state(path)
    model.mirror = recipe.mirror if mirror is None else mirror
    camera = state.get("camera")
    answer = answerer(model, recipe.frames, TrainingCamera(**camera).focal if camera else None)
    return Candidate(path.name, answer, recipe.frames, measured_data(recipe.data), "pytorch", "fp32", model.mirror)


def bundle_frames(bundle: Bundle) -> tuple[DataConfig, str]:
    """What the bundle's model sees of a picture, and what it was trained on, empty where clipdepth did not train it.

    What is too far is what the recipe says, or beyond the range of a model that clipdepth did not train. Without
    stored masks: an engine of a model with SAM segments by itself, as it does on a device. Raises CheckpointError for
    a recipe that this version cannot read.
    """
    manifest = bundle.manifest
    if not manifest.model.recipe:
        frames = DataConfig(manifest.input.height, manifest.input.width)
        return (replace(frames, max_depth=manifest.depth.maximum) if manifest.depth else frames), ""
    recipe = decode_recipe(manifest.model.recipe, str(bundle.path))
    return replace(recipe.frames, segments=""), measured_data(recipe.data)


def bundle_predictor(bundle: Bundle, engine: Engine, precision: str) -> Predict:
    """A bundle in one of its engines as a function of RGB-D pairs, whose pictures may have any size.

    Depth of a model whose training camera is known is of each pair's own camera, where that is known too.
    """
    answer = bundle_answerer(bundle, engine, precision)
    return lambda pair: answer(pair).depth


def bundle_answerer(bundle: Bundle, engine: Engine, precision: str) -> AnswerTo:
    """The same with confidence, where the bundle has it."""
    trained, size = bundle.manifest.camera, bundle.manifest.input
    camera = Camera() if trained is None else Camera(focal_px=trained.focal, side=max(size.height, size.width))
    model = DepthModel(bundle, engine, precision, Corrections(bundle.manifest, camera))

    def answer(pair: RgbdPair) -> Answer:
        found = model(np.ascontiguousarray(pair.frame))
        depth = found.depth
        if not (trained is None or pair.intrinsics is None or bundle.manifest.kind != METRIC):
            depth = np.asarray(depth * np.float32(pair.intrinsics.focal / found.intrinsics.focal), np.float32)
        return Answer(depth, found.confidence, None if found.novelty is None else np.asarray(found.novelty, np.float32))

    return answer
