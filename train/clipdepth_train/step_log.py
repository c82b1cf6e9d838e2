"""What trackers hear of each step, without waiting for the device at each."""

import time
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from clipdepth_train.recipe import Recipe
from clipdepth_train.recipe_record import encode_recipe

EVERY_S = 1.0
"""Seconds between two readings of the losses that lie on a GPU."""


class StepLog:
    """Losses of steps, which stay on the device until several are read together; none is left out."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.note = ""
        """The last loss that was read, for the progress bar."""
        self._accelerator = accelerator
        self._waiting = list[tuple[int, Tensor, float]]()
        self._read = time.monotonic()

    def add(self, step: int, loss: Tensor, rate: float, at_once: bool) -> None:
        """Take in a step's loss, a scalar, and its learning rate; `at_once` leaves none waiting."""
        self._waiting.append((step, loss, rate))
        if at_once or loss.device.type == "cpu" or time.monotonic() - self._read >= EVERY_S:
            self._tell()

    def _tell(self) -> None:
        losses = torch.stack([loss for _, loss, _ in self._waiting]).tolist()
        for (step, _, rate), loss in zip(self._waiting, losses, strict=True):
            self._accelerator.log({"loss": loss, "learning rate": rate}, step=step)
        self.note = f"loss {losses[-1]:.4f}"
        self._waiting.clear()
        self._read = time.monotonic()


def start_trackers(accelerator: Accelerator, recipe: Recipe, out: Path) -> None:
    """Start what `accelerator` logs with: TensorBoard in `out`/logs, or a run of W&B's project clipdepth."""
    weights_and_biases = {"dir": str(out), "name": out.name, "config": encode_recipe(recipe)}
    wandb = any(str(getattr(each, "value", each)) == "wandb" for each in accelerator.log_with)
    if wandb:
        out.mkdir(parents=True, exist_ok=True)
    accelerator.init_trackers(
        "clipdepth" if wandb else "logs", init_kwargs={"wandb": weights_and_biases} if wandb else {}
    )
