"""A trained run of clipdepth as a teacher, in PyTorch."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from clipdepth.bundle.kind import METRIC
from clipdepth.bundle.manifest import InputSize, Licence, TrainingCamera
from clipdepth.bundle.stored_file import stored_file
from clipdepth.errors import UsageError
from clipdepth_train.checkpoint import CHECKPOINT, load_run, read_state
from clipdepth_train.teacher.of_module import asked_in_turn
from clipdepth_train.teacher.teacher import Answer, Teacher


def run_teacher(run: Path) -> Teacher:
    """The model of a run's folder; raises CheckpointError where there is none, UsageError for one that needs SAM."""
    recipe, state = read_state(run / CHECKPOINT)
    if recipe.frames.segments:
        raise UsageError(f"{run} takes SAM's segmentation of each picture, so it cannot teach; give another --teacher")
    return Teacher(
        name=run.resolve().name,
        kind=METRIC,
        size=InputSize(recipe.frames.height, recipe.frames.width),
        camera=TrainingCamera(**state["camera"]),
        weights_sha256=stored_file(run / CHECKPOINT).sha256,
        licences=tuple(Licence(**licence) for licence in state["ingredients"]),
        load=partial(_load, run),
    )


@contextmanager
def _load(run: Path, device: torch.device) -> Iterator[Answer]:
    yield asked_in_turn(load_run(run)[0].to(device), device)
