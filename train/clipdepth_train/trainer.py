"""Fitting a model: steps, checkpoints, progress, and the evaluation that ends a run."""

import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from rich.console import Console
from rich.progress import TextColumn
from torch import Tensor

from clipdepth.bundle.kind import METRIC
from clipdepth.bundle.manifest import TrainingCamera
from clipdepth.bundle.metrics import DepthMetrics, mean_metrics
from clipdepth.camera.letterbox import Letterbox
from clipdepth.cli.progress import LongProgress, counting_columns
from clipdepth.errors import UsageError
from clipdepth.files.atomic import write_json
from clipdepth.sinks.picture_grid import save_picture
from clipdepth_train.checkpoint import (
    CHECKPOINT,
    RESUME,
    load_weights,
    part_of,
    read_checkpoint,
    read_state,
    save_checkpoint,
)
from clipdepth_train.continuing import DATA, data_identity, require_same_run
from clipdepth_train.data.crop import PAPER_TEST
from clipdepth_train.data.loader import Batches, steps_per_epoch, training_loader
from clipdepth_train.data.order import epoch_length
from clipdepth_train.data.sample import RgbdPair, RgbdSet, evenly_spread
from clipdepth_train.data.transforms import pair_seed, test_pair
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.evaluation import Predict, evaluate, predictor
from clipdepth_train.ingredients import ingredients
from clipdepth_train.interruption import Interruption
from clipdepth_train.machine import MachineConfig, compiled, without_compiler
from clipdepth_train.objective import Batch, Objective
from clipdepth_train.optimizer_state import optimizer_tensors, restore_optimizer
from clipdepth_train.prediction_grid import prediction_grid
from clipdepth_train.processes import SharedFlag, share_batch_norms
from clipdepth_train.recipe import DataConfig, Recipe
from clipdepth_train.recipe_record import encode_recipe
from clipdepth_train.schedule import learning_rate_factor
from clipdepth_train.start import find_weights, load_start
from clipdepth_train.step_log import StepLog, start_trackers
from clipdepth_train.teacher.labels import label_pictures
from clipdepth_train.training_data import open_training
from clipdepth_train.truth_range import require_truth
from clipdepth_train.weight_average import WeightAverage, averaging

METRICS = "metrics.json"
PICTURES = "predictions.png"
PICTURED = 4


class Trainer:
    """One run of a recipe into a folder, in this process and those that accelerate started beside it.

    The folder gets `checkpoint.safetensors`, `metrics.json`, `predictions.png` and TensorBoard's `logs/`; while it
    lasts also `resume.safetensors`. A folder that holds the beginning of the same recipe's run is continued, with
    the result that an undisturbed run would have had. Raises UsageError where the folder holds another recipe's.
    """

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        console: Console,
        machine: MachineConfig = MachineConfig(),  # noqa: B008 (frozen)
    ) -> None:
        self.recipe, self.out, self.console, self.machine = recipe, out, console, machine
        trackers = None if machine.tracker == "none" else [machine.tracker]
        self.accelerator = Accelerator(mixed_precision=recipe.mixed_precision, log_with=trackers, project_dir=str(out))
        recipe.require_inputs()
        torch.backends.cudnn.benchmark = True  # all batches have one of a few shapes
        shares = self.accelerator.num_processes * recipe.accumulate
        if recipe.batch_size % shares:
            raise UsageError(
                f"--batch-size {recipe.batch_size} cannot be shared by {self.accelerator.num_processes} processes in "
                f"{recipe.accumulate} parts; give a multiple of {shares}"
            )
        with self.accelerator.main_process_first():  # one process takes the frames of videos
            self.data = open_training(recipe)
        self.pairs, self.tests = self.data.pairs, self.data.tests
        self.per_epoch = steps_per_epoch(epoch_length(self.pairs.shares), recipe.batch_size)
        self.steps = recipe.epochs * self.per_epoch
        self.step, self.seconds, self.history = 0, 0.0, list[dict[str, Any]]()
        self.average: WeightAverage | None = None
        self.ingredients = list[dict[str, str]]()

    def run(self) -> dict[str, Any]:
        """Train what is missing, evaluate, and return what `metrics.json` holds.

        Raises KeyboardInterrupt after Ctrl-C or SIGTERM, once a checkpoint is written.
        """
        done = self._finished()
        if done is not None:
            return done
        resumed = self._read_resume()
        self._label()
        if self.steps and resumed is None and self.accelerator.is_main_process:
            require_truth(self.recipe, self.pairs, self.tests)
        model = build_model(self.recipe, pretrained=resumed is None and not self.recipe.start)
        if resumed is not None:
            load_weights(model, part_of(resumed, "model."), self.out / RESUME)
        else:
            start = find_weights(self.recipe.start) if self.recipe.start else None
            self.ingredients = msgspec.to_builtins(ingredients(self.recipe, self.data, start))
            if start is not None:
                load_start(model, self.recipe, start)
        if self.steps:
            model = self._fit(model, resumed)
        else:
            model.to(self.accelerator.device)
        return self._finish(model)

    def _label(self) -> None:
        """Ask the teacher what it has not answered yet, in all processes, each its share."""
        process, processes = self.accelerator.process_index, self.accelerator.num_processes
        if self.data.teacher is not None:
            console = self.console if self.accelerator.is_main_process else Console(quiet=True)
            for pictures in self.data.unlabelled:
                label_pictures(pictures, self.data.teacher, self.accelerator.device, console, process, processes)
            self.accelerator.wait_for_everyone()
            if not self.data.is_measured:
                self._say(
                    f"no data has measured depth: errors are from the teacher's answers to {len(self.tests)} pictures"
                )

    def _finished(self) -> dict[str, Any] | None:
        if not (self.out / CHECKPOINT).is_file() or (self.out / RESUME).is_file():
            return None
        recipe, state = read_state(self.out / CHECKPOINT)
        require_same_run(recipe, state, self.recipe, self.pairs, self.out)
        self._say(f"{self.out} is trained already")
        report: dict[str, Any] = state["report"]
        return report

    def _read_resume(self) -> dict[str, Tensor] | None:
        path = self.out / RESUME
        if not path.is_file():
            return None
        tensors, recipe, state = read_checkpoint(path)
        require_same_run(recipe, state, self.recipe, self.pairs, self.out)
        if state.get("teacher") != self._teacher_key:
            raise UsageError(f"{self.out} was begun with another network as --teacher; choose another --out")
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.ingredients = state["ingredients"]
        if self.accelerator.scaler is not None and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self._say(f"continuing {self.out} at step {self.step} of {self.steps}")
        return tensors

    @property
    def _teacher_key(self) -> str | None:
        return self.data.teacher.key if self.data.teacher else None

    def _fit(self, model: DepthModel, resumed: dict[str, Tensor] | None) -> DepthModel:
        """Train, and return the model that is kept: the one that was trained, or the average of its weights."""
        if self.accelerator.num_processes > 1:
            model = cast(DepthModel, share_batch_norms(model, self.accelerator.device))
        if self.recipe.channels_last:
            model.to(memory_format=torch.channels_last)
        optimizer = make_optimizer(model, self.recipe)
        base_rates = [group["lr"] for group in optimizer.param_groups]
        model.to(self.accelerator.device)
        share_at = averaging(self.recipe.optim, self.steps, self.per_epoch)
        self.average = WeightAverage(model, share_at) if share_at else None
        if resumed is not None:
            restore_optimizer(optimizer, resumed)
            if self.average is not None:
                self.average.restore(part_of(resumed, "average."), self.step, self.out / RESUME)
        objective = Objective(model, self.recipe.loss, self.data.teacher.kind if self.data.teacher else METRIC)
        if self.machine.compile:
            compiled(objective)
        objective, optimizer = self.accelerator.prepare(objective, optimizer)
        start_trackers(self.accelerator, self.recipe, self.out)
        log, stop = StepLog(self.accelerator), SharedFlag()
        with Interruption() as interruption, self._progress() as progress:
            bar = progress.add_task("training", total=self.steps, completed=self.step, note="")
            for parts in self._batches():
                started = time.perf_counter()
                factor = learning_rate_factor(self.recipe.optim, self.step, self.steps, self.per_epoch)
                for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                    group["lr"] = rate * factor
                loss = without_compiler(partial(self._train_step, objective, optimizer, parts))
                if self.average is not None:
                    self.average.follow(model)
                self.step += 1
                log.add(self.step, loss, base_rates[0] * factor, at_once=self._pauses)
                self.seconds += time.perf_counter() - started
                progress.update(bar, completed=self.step, note=log.note)
                self._between_steps(model, optimizer, stop.raised(interruption.requested))
        return model if self.average is None else self.average.model

    def _batches(self) -> Iterator[list[Batch]]:
        """The parts of each step's batch."""
        process, processes = self.accelerator.process_index, self.accelerator.num_processes
        batches = Batches(self.recipe, self.pairs.shares, self.step, self.steps, process, processes)
        device, parts = self.accelerator.device, list[Batch]()
        local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        loader = training_loader(self.pairs, self.recipe, batches, local, self.machine.cache_bytes(local))
        for batch in loader:
            parts.append({name: value.to(device, non_blocking=True) for name, value in batch.items()})
            if len(parts) == self.recipe.accumulate:
                yield parts
                parts = []

    def _train_step(self, objective: torch.nn.Module, optimizer: Any, parts: list[Batch]) -> Tensor:
        objective.train()
        # Whatever a network draws while training depends on the step alone, as its batch does.
        torch.manual_seed(pair_seed(self.recipe.seed, self.step, self.accelerator.process_index))
        optimizer.zero_grad()
        losses = list[Tensor]()
        for number, part in enumerate(parts, 1):
            waits = number < len(parts)
            with self.accelerator.no_sync(objective) if waits else nullcontext():
                loss = objective(part) / len(parts)
                self.accelerator.backward(loss)
            losses.append(loss.detach())
        if self.recipe.optim.clip_norm:
            self.accelerator.clip_grad_norm_(objective.parameters(), self.recipe.optim.clip_norm)
        optimizer.step()
        return torch.stack(losses).sum()

    @property
    def _pauses(self) -> bool:
        """Whether something else than a step comes next."""
        return self.step == self.steps or self.step % self.recipe.save_every == 0 or self.step % self.per_epoch == 0

    def _between_steps(self, model: DepthModel, optimizer: Any, stopping: bool) -> None:
        finished = self.step == self.steps
        if stopping or finished or self.step % self.recipe.save_every == 0:
            self._save_resume(model, optimizer)
        if stopping:
            self._say(f"stopped at step {self.step} of {self.steps}; the same command continues")
            raise KeyboardInterrupt
        epoch, rest = divmod(self.step, self.per_epoch)
        if rest == 0 and not finished and epoch % self.recipe.evaluate_every == 0:
            self._evaluate(model if self.average is None else self.average.model, epoch)

    def _save_resume(self, model: DepthModel, optimizer: Any) -> None:
        if not self.accelerator.is_main_process:
            return
        tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": value for name, value in self.average.model.state_dict().items()}
        scaler = self.accelerator.scaler
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "ingredients": self.ingredients,
            DATA: data_identity(self.pairs),
            "teacher": self._teacher_key,
            "scaler": scaler.state_dict() if scaler is not None else None,
        }
        save_checkpoint(self.out / RESUME, {**tensors, **optimizer_tensors(optimizer)}, self.recipe, state)

    def _evaluate(self, model: DepthModel, epoch: int) -> DepthMetrics:
        model.mirror = self.recipe.mirror
        process, processes = self.accelerator.process_index, self.accelerator.num_processes
        indices = range(process, len(self.tests), processes)
        mine = evaluate(self._predictor(model), self.tests, self.recipe.frames, "all", indices)
        metrics = mean_metrics(gather_object(mine))
        self.history.append({"epoch": epoch, **asdict(metrics)})
        self._say(f"epoch {epoch}: rel {metrics.rel:.3f}, rmse {metrics.rmse:.3f} m, δ1 {metrics.delta1:.3f}")
        self.accelerator.log({f"test/{name}": value for name, value in asdict(metrics).items()}, step=self.step)
        return metrics

    def _predictor(self, model: DepthModel) -> Predict:
        camera = TrainingCamera(**input_focal(self.pairs, self.recipe.frames))
        return predictor(model, self.recipe.frames, camera.focal)

    def _finish(self, model: DepthModel) -> dict[str, Any]:
        metrics = self._evaluate(model, self.recipe.epochs)
        report = {
            "data": list(self.recipe.data),
            "tested_on": self.data.tested_on,
            "truth": "measured" if self.data.is_measured else "the teacher's answers",
            "training_frames": len(self.pairs),
            "test_frames": len(self.tests),
            "crop": "all",
            "mirrored": self.recipe.mirror,
            "metrics": asdict(metrics),
            "history": self.history,
            "training_seconds": self.seconds,
            "parameters": model.parameter_count(),
            "flops": model.flops(self.recipe.frames.height, self.recipe.frames.width),
            "device": str(self.accelerator.device),
            "processes": self.accelerator.num_processes,
            "recipe": encode_recipe(self.recipe),
        }
        if self.accelerator.is_main_process:
            self._write(model, report)
        self.accelerator.wait_for_everyone()
        # Not end_training(), which would part the processes for good: another run may follow.
        for tracker in self.accelerator.trackers:
            tracker.finish()
        return report

    def _write(self, model: DepthModel, report: dict[str, Any]) -> None:
        pictures = prediction_grid(self._pictured(), self._predictor(model))
        save_picture(self.out / PICTURES, pictures)
        write_json(self.out / METRICS, report)
        camera = input_focal(self.pairs, self.recipe.frames)
        data = data_identity(self.pairs)
        state = {"report": report, "camera": camera, "ingredients": self.ingredients, DATA: data}
        save_checkpoint(self.out / CHECKPOINT, model.state_dict(), self.recipe, state)
        (self.out / RESUME).unlink(missing_ok=True)

    def _pictured(self) -> list[RgbdPair]:
        return [test_pair(self.tests[i], self.recipe.frames) for i in evenly_spread(len(self.tests), PICTURED)]

    def _progress(self) -> LongProgress:
        quiet = not self.accelerator.is_main_process
        return LongProgress(*counting_columns(), TextColumn("{task.fields[note]}"), console=self.console, disable=quiet)

    def _say(self, text: str) -> None:
        if self.accelerator.is_main_process:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def make_optimizer(model: DepthModel, recipe: Recipe) -> torch.optim.Optimizer:
    """What changes the weights that the recipe trains. Raises UsageError where there are none."""
    optim = recipe.optim
    groups = model.parameter_groups(optim.learning_rate, optim.trunk_learning_rate)
    if not groups:
        raise UsageError("this model has nothing to train; give it --epochs 0")
    if optim.optimizer == "adamw":
        # Norms, biases and bins are not kept small: a scale near 0 means nothing for them.
        groups = [part for group in groups for part in _decayed(group, optim.weight_decay)]
        return torch.optim.AdamW(groups, fused=True)
    return torch.optim.SGD(groups, momentum=optim.momentum, weight_decay=optim.weight_decay)


def _decayed(group: dict[str, Any], decay: float) -> list[dict[str, Any]]:
    """A group of parameters as two: those of convolutions and products, which decay, and the others."""
    weights = [p for p in group["params"] if p.ndim > 1]
    others = [p for p in group["params"] if p.ndim <= 1]
    parts = [{**group, "params": weights, "weight_decay": decay}, {**group, "params": others, "weight_decay": 0.0}]
    return [part for part in parts if part["params"]]


def input_focal(pairs: RgbdSet, frames: DataConfig) -> dict[str, float]:
    """The training camera's focal lengths in pixels of the model's input: `fx` and `fy`."""
    size = PAPER_TEST.size if frames.picture == "paper" else pairs.picture_size
    scale = Letterbox.of(*size, frames.height, frames.width).scale
    return {"fx": pairs.focal[0] * scale, "fy": pairs.focal[1] * scale}
