"""Small runs that two processes make as one does: `accelerate launch … -m train.shared_runs DATA OUT` makes them."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

import runs
from clipdepth.cli import main
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train import trainer
from clipdepth_train.data.layout import FrameFiles, write_depth, write_intrinsics, write_lists, write_pose, write_rgb
from clipdepth_train.recipe import LossConfig, OptimConfig, ViewConfig

TRAIN_FRAMES, TEST_FRAMES = 8, 3
SIZE = 64
SECONDS_BETWEEN_FRAMES = 0.4
COMMAND = "silog"
"""The run that the command line makes."""
STOPPED, STOPPED_AT = "stopped", 3
"""A run that is begun twice: of the first one's processes only the last gets SIGINT, in that step."""


def descent(rate: float, momentum: float = 0.0) -> OptimConfig:
    """Gradient descent of the whole network, trunk included."""
    return OptimConfig("sgd", rate, rate, momentum=momentum, weight_decay=0.0, schedule="step", clip_norm=0.0)


# At larger rates a network this small turns rounding into differences that can be seen, also in one process.
RUNS: dict[str, dict[str, Any]] = {
    COMMAND: {"epochs": 2, "batch_size": 4, "optim": descent(0.2, 0.9)},
    "accumulated": {
        "epochs": 3,
        "batch_size": TRAIN_FRAMES,
        "accumulate": 2,
        "loss": LossConfig("l1"),
        "optim": descent(0.3),
    },
    "averaged": {
        "batch_size": 4,
        "loss": LossConfig("l2", native=True, gradient=0.5),
        "optim": OptimConfig("sgd", 0.5, 0.5, schedule="step", clip_norm=0.5, ema=0.5),
    },
    STOPPED: {"epochs": 4, "batch_size": 4, "optim": descent(0.2, 0.9)},
}
"""Changes of `runs.tiny_recipe`, by name."""
STEPS: dict[str, dict[str, Any]] = {
    name: {"batch_size": TRAIN_FRAMES, "optim": descent(1.0), **changes}
    for name, changes in {
        "bins": {"loss": LossConfig("none", bins=1.0, smoothness=0.5)},
        "symmetry": {"loss": LossConfig("l2", symmetry=0.5)},
        "mirrored": {"mirror": True},
        "photometric": {"loss": LossConfig("none", photometric=1.0), "view": ViewConfig("neighbour")},
    }.items()
}
"""Runs of one step over all training frames, straight down the gradient: at a rate of 1."""
for _changes in (*RUNS.values(), *STEPS.values()):
    # Colours from 0 to 1, for which those rates were chosen.
    _changes["normalisation"] = "unit"


def write_walk(path: Path) -> None:
    """Write a room to train on, with poses, and one for tests.

    Of each training frame less is known than of the one before, and of the last one nothing.
    """
    camera, files = default_intrinsics(SIZE, SIZE), []
    for seed, (split, count) in enumerate((("train", TRAIN_FRAMES), ("test", TEST_FRAMES))):
        room = Room(seed)
        for index in range(count):
            files.append(frame := FrameFiles(path, split, f"room_{seed}", index))
            seen = room.render(index * SECONDS_BETWEEN_FRAMES, camera)
            unknown = SIZE * index // (TRAIN_FRAMES - 1) if split == "train" else 0
            write_rgb(frame.rgb, seen.frame)
            write_depth(frame.depth, np.where(np.arange(SIZE) < unknown, 0, seen.depth).astype(np.float32))
            write_pose(frame.pose, seen.pose)
    write_intrinsics(path, camera)
    write_lists(path, files, camera.fx)


def command(data: Path, out: Path) -> list[str]:
    """What `clipdepth` is told for the run COMMAND."""
    changes = RUNS[COMMAND]
    rate, momentum = changes["optim"].learning_rate, changes["optim"].momentum
    return f"""train edge --data {data} --out {out} --epochs {changes["epochs"]} --batch-size {changes["batch_size"]}
        --frames.height {SIZE} --frames.width {SIZE} --frames.rooms 1 --frames.workers 0 --model.trunk.name tiny-clip
        --model.trunk.weights none --model.width 8 --model.bins 8 --optim.optimizer sgd --optim.schedule step
        --optim.learning-rate {rate} --optim.trunk-learning-rate {rate} --optim.momentum {momentum}
        --optim.weight-decay 0 --optim.clip-norm 0 --optim.ema 0 --augment.zoom 1.2 --normalisation unit""".split()


def measured(out: Path, process: int) -> Path:
    """Where a process notes the test frames that it measured, a line for each run."""
    return out / f"measured-{process}.txt"


def note_what_is_measured(path: Path) -> None:
    """Write down what the trainer has evaluated from now on."""
    evaluate = trainer.evaluate

    def noting(predict: Any, pairs: Any, frames: Any, crop: Any, indices: Any) -> Any:
        mine = list(indices)
        with path.open("a") as notes:
            notes.write(" ".join(map(str, mine)) + "\n")
        return evaluate(predict, pairs, frames, crop, mine)

    trainer.evaluate = noting


def stop(data: Path, out: Path, process: int) -> None:
    """Begin the run STOPPED, and stop it; every process notes its step."""
    rate, steps = trainer.learning_rate_factor, list[int]()

    def interrupting(config: OptimConfig, step: int, total: int, per_epoch: int) -> float:
        steps.append(step + 1)
        if step + 1 == STOPPED_AT and process == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return rate(config, step, total, per_epoch)

    trainer.learning_rate_factor = interrupting
    try:
        runs.train_tiny_run(out / STOPPED, data, **RUNS[STOPPED])
    except KeyboardInterrupt:
        (out / f"stopped-{process}.txt").write_text(f"{steps[-1]}\n")
    finally:
        trainer.learning_rate_factor = rate


def make(data: Path, out: Path) -> None:
    """Make all runs into folders of `out`, in this process and those that accelerate started beside it.

    The command comes last: it parts the processes when it is done.
    """
    for name, changes in {**RUNS, **STEPS}.items():
        if name != COMMAND:
            runs.train_tiny_run(out / name, data, **changes)
    assert main(command(data, out / COMMAND)) == 0


if __name__ == "__main__":
    data_folder, out_folder = map(Path, sys.argv[1:])
    rank = int(os.environ["RANK"])
    stop(data_folder, out_folder, rank)
    note_what_is_measured(measured(out_folder, rank))
    make(data_folder, out_folder)
