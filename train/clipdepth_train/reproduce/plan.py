"""Which recipes a table needs, changed to what the user can afford, and what they will cost."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from clipdepth.errors import UsageError
from clipdepth_train.checkpoint import CHECKPOINT, RESUME
from clipdepth_train.data.loader import Batches, open_set, steps_per_epoch, training_loader
from clipdepth_train.data.order import share_of
from clipdepth_train.data.sample import RgbdSet
from clipdepth_train.depth_model import build_model
from clipdepth_train.named_data import measured_data
from clipdepth_train.objective import Objective
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import Recipe, trunk_of, with_trunk
from clipdepth_train.recipe_record import decode_recipe
from clipdepth_train.recipes import RECIPES
from clipdepth_train.reproduce.published import REFINES, TABLES
from clipdepth_train.trainer import METRICS

TIMED_STEPS, TIMED_SECONDS = 3, 20.0


@dataclass(frozen=True)
class Reduction:
    """How a reproduction differs from the recipes; what is None stays as in the recipe."""

    epochs: int | None = None
    batch_size: int | None = None
    size: tuple[int, int] | None = None
    """Height and width of the model's input, of the whole picture in place of the paper's crop."""
    clip: str | None = None
    clip_weights: str | None = None
    mixed_precision: str | None = None
    workers: int | None = None

    def of(self, recipe: Recipe) -> Recipe:
        """The recipe as it is run."""
        frames, model = recipe.frames, recipe.model
        if self.size is not None:
            frames = replace(frames, height=self.size[0], width=self.size[1], picture="whole")
        if self.workers is not None:
            frames = replace(frames, workers=self.workers)
        trunk = {"name": self.clip, "weights": self.clip_weights}
        model = with_trunk(model, **{name: value for name, value in trunk.items() if value})
        changes: dict[str, Any] = {"frames": frames, "model": model}
        if self.epochs is not None and recipe.epochs:
            changes["epochs"] = self.epochs
        for name in ("batch_size", "mixed_precision"):
            if getattr(self, name) is not None:
                changes[name] = getattr(self, name)
        return replace(recipe, **changes)


@dataclass(frozen=True)
class PlannedRun:
    """A recipe to train, by its name, and the folder of its run."""

    name: str
    recipe: Recipe
    out: Path

    @property
    def pretrained(self) -> PretrainedConfig | None:
        """The CLIP whose weights it begins with; None where it has weights already, another run's, or no CLIP."""
        begun = any((self.out / name).is_file() for name in (CHECKPOINT, RESUME))
        return None if begun or self.recipe.start else trunk_of(self.recipe.model)

    def finished_report(self) -> dict[str, Any] | None:
        """What `Trainer.run` gave where the same run was made before; None where it was not."""
        path = self.out / METRICS
        if not path.is_file():
            return None
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return report if decode_recipe(report["recipe"], str(path)) == self.recipe else None


def needed(table: str, only: Sequence[str] = ()) -> list[str]:
    """The recipes of a table's rows, or those of `only`, each after the one that it refines.

    Raises UsageError where the table needs no such recipe.
    """
    every = _with_refined([row.recipe for row in TABLES[table] if row.recipe])
    for name in only:
        if name not in every:
            raise UsageError(f"--only: {table} has no row '{name}'; its rows are {', '.join(every)}")
    return _with_refined([name for name in every if name in only]) if only else every


def _with_refined(recipes: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(name for recipe in recipes for name in (REFINES.get(recipe), recipe) if name))


def plan(table: str, data: str, out: Path, reduction: Reduction, segments: str) -> list[PlannedRun]:
    """The runs of a table in the order they need each other; `segments` names SAM's masks, or is empty."""
    return [
        PlannedRun(name, planned_recipe(name, data, out, reduction, segments), out / "runs" / name)
        for name in needed(table)
    ]


def planned_recipe(name: str, data: str, out: Path, reduction: Reduction, segments: str) -> Recipe:
    """The recipe of `name` on `data`, starting from the run it refines, with SAM's masks where it takes them."""
    recipe = replace(reduction.of(RECIPES[name]), data=(data,))
    if needs_sam(name):
        recipe = replace(recipe, frames=replace(recipe.frames, segments=segments))
    if name in REFINES:
        recipe = replace(recipe, start=str(out / "runs" / REFINES[name]))
    return recipe


def needs_sam(name: str) -> bool:
    """Whether the recipe of `name` takes SAM's segmentation."""
    return bool(getattr(RECIPES[name].model, "segmentation", False))


@dataclass(frozen=True)
class Cost:
    """What a run takes."""

    parameters: int
    flops: int
    """Of one frame, 2 per multiply-add, without mirroring."""
    steps: int
    seconds_a_step: float
    """Median of a few steps on this machine, without data loading."""

    @property
    def hours(self) -> float:
        """Of all steps."""
        return self.steps * self.seconds_a_step / 3600


def measure_cost(recipe: Recipe) -> Cost:
    """Build a run's network with random weights and time a few of its training steps.

    A segmentation is not needed yet: the network gets an empty one.
    """
    recipe = replace(recipe, frames=replace(recipe.frames, segments=""))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(recipe, pretrained=False).to(device)
    pairs = open_set(measured_data(recipe.data), "train", recipe.frames)
    steps = recipe.epochs * steps_per_epoch(len(pairs), recipe.batch_size)
    flops = model.flops(recipe.frames.height, recipe.frames.width)
    seconds = _seconds_a_step(recipe, Objective(model, recipe.loss), pairs, device) if steps else 0.0
    return Cost(model.parameter_count(), flops, steps, seconds)


def _seconds_a_step(recipe: Recipe, objective: Objective, pairs: RgbdSet, device: torch.device) -> float:
    length = min(TIMED_STEPS + 1, len(pairs) // recipe.batch_size)
    batches = Batches(recipe, share_of(pairs), 0, length, 0, 1)
    optimizer = torch.optim.SGD([p for p in objective.parameters() if p.requires_grad], lr=0.0)
    precision = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(recipe.mixed_precision)
    objective.train()
    times: list[float] = []
    for batch in training_loader(pairs, recipe, batches):
        batch["segmentation"] = torch.zeros_like(batch["frame"])
        on_device = {name: value.to(device) for name, value in batch.items()}
        started = time.perf_counter()
        with torch.autocast(device.type, precision, enabled=precision is not None):
            loss = objective(on_device)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        float(loss.detach())  # waits for a GPU
        times.append(time.perf_counter() - started)
        if sum(times) > TIMED_SECONDS:
            break
    # The first step allocates.
    settled = sorted(times[1:] or times)
    return settled[len(settled) // 2] * recipe.accumulate
