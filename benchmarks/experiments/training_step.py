"""How long a training step takes, and how much memory: forward, loss, backward and optimizer, on a batch at hand.

    python benchmarks/experiments/training_step.py [--recipe edge-nyu msa-l1] [--size 240x320 416x544]
                                                   [--precision no bf16] [--batch 8] [--device cuda]
                                                   [--steps 20] [--out steps.json]

Sizes are the recipes' own where none is given, memory is channels-last where the recipe asks for it, and weights are
random. The batch is of `rooms`, loaded once, so that no loader is measured. Prints p50, p90 and the slowest step,
samples a second, and on a GPU the peak of its memory; times there are taken by CUDA events. As in training, PyTorch
takes TF32 for the convolutions of fp32 where the GPU has it.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from clipdepth.cli.arguments import picture_size
from clipdepth.files.atomic import write_json
from clipdepth_train.data.loader import Batches, open_set, training_loader
from clipdepth_train.data.order import share_of
from clipdepth_train.depth_model import build_model
from clipdepth_train.named_data import measured_data
from clipdepth_train.objective import Batch, Objective
from clipdepth_train.recipe import Recipe, with_trunk
from clipdepth_train.recipes import RECIPES
from clipdepth_train.trainer import make_optimizer

WARM = 3


@dataclass(frozen=True)
class Measured:
    """A recipe's step at one size and precision; milliseconds of `n` steps."""

    recipe: str
    height: int
    width: int
    precision: str
    batch: int
    device: str
    n: int
    p50: float
    p90: float
    max: float
    samples_a_second: float
    device_memory_mb: float | None
    """Of PyTorch's allocator at most; None on the CPU."""


def main() -> None:
    """Measure and print."""
    options = _options()
    device = torch.device(options.device)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    found: list[Measured] = []
    cases = list(product(options.recipe, options.size or [None], options.precision))
    for name, size, precision in track(cases, "steps", console=Console(stderr=True)):
        frames = replace(RECIPES[name].frames, rooms=1, workers=0, other_sizes=())
        if size is not None:
            frames = replace(frames, height=size[0], width=size[1])
        recipe = replace(RECIPES[name], data=("rooms",), batch_size=options.batch, frames=frames)
        recipe = replace(recipe, model=with_trunk(recipe.model, weights="none"))
        found.append(measure(name, recipe, precision, device, options.steps))
        say(found[-1])
        if options.out:
            write_json(options.out, [asdict(row) for row in found])


def measure(name: str, recipe: Recipe, precision: str, device: torch.device, steps: int) -> Measured:
    """Time `steps` steps after a few that warm up."""
    torch.manual_seed(0)
    batch = {field: value.to(device) for field, value in _batch(recipe).items()}
    model = build_model(recipe, pretrained=False).to(device)
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, recipe)
    objective = Objective(model, recipe.loss).train()

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss = objective(batch)
        loss.backward()
        optimizer.step()

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = [_milliseconds(step, device) for _ in range(WARM + steps)][WARM:]
    p50, p90 = np.percentile(times, (50, 90))
    return Measured(
        recipe=name,
        height=recipe.frames.height,
        width=recipe.frames.width,
        precision="fp32" if precision == "no" else precision,
        batch=recipe.batch_size,
        device=torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        n=steps,
        p50=float(p50),
        p90=float(p90),
        max=max(times),
        samples_a_second=float(1000 * recipe.batch_size / p50),
        device_memory_mb=torch.cuda.max_memory_allocated() / 1e6 if device.type == "cuda" else None,
    )


def say(row: Measured) -> None:
    """A line a measurement."""
    memory = "" if row.device_memory_mb is None else f", {row.device_memory_mb:.0f} MB"
    sys.stdout.write(
        f"{row.recipe} {row.height}×{row.width} {row.precision}, batch {row.batch}, {row.device}: "
        f"p50 {row.p50:.1f} ms, p90 {row.p90:.1f}, max {row.max:.1f}, n {row.n}; "
        f"{row.samples_a_second:.1f} samples/s{memory}\n"
    )


def _milliseconds(step: Callable[[], None], device: torch.device) -> float:
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        step()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end))
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1000


def _batch(recipe: Recipe) -> Batch:
    pairs = open_set(measured_data(recipe.data), "train", recipe.frames)
    batches = Batches(recipe, share_of(pairs), 0, 1, 0, 1)
    return next(iter(training_loader(pairs, recipe, batches)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--recipe", choices=sorted(RECIPES), nargs="+", default=["edge-nyu", "msa-l1"])
    add("--size", type=picture_size, nargs="+", metavar="HxW")
    add("--precision", choices=["no", "bf16"], nargs="+", default=["no", "bf16"])
    add("--batch", type=int, default=8)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--steps", type=int, default=20)
    add("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
