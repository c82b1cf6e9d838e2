"""How fast training data is loaded, and how much memory that takes as the dataset grows.

    python benchmarks/experiments/loader.py DATA [--recipe msa-l1] [--workers 1 2] [--samples 400] [--cache-gb 4]

Prints samples a second for each number of workers, batches as the recipe's; with a cache, without and with it, from the
second epoch on. Then the peak resident memory of a process
that opens and reads the dataset and of one that reads it repeated many times over.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from clipdepth_train.data.loader import Batches, open_set, training_loader
from clipdepth_train.data.order import share_of
from clipdepth_train.named_data import measured_data
from clipdepth_train.recipe import Recipe
from clipdepth_train.recipes import RECIPES

REPEATS = (1, 100)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of RGB-D pairs with train.txt")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="msa-l1")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--cache-gb", type=float, default=0.0)
    arguments = parser.parse_args()
    recipe = replace(RECIPES[arguments.recipe], data=(str(arguments.data),), batch_size=8)
    torch.set_num_threads(1)
    for workers in arguments.workers:
        one = replace(recipe, frames=replace(recipe.frames, workers=workers))
        for gigabytes in dict.fromkeys((0.0, arguments.cache_gb)):
            rates = [samples_a_second(one, arguments.samples, round(gigabytes * 1e9)) for _ in range(3)]
            shown = ", ".join(f"{rate:.0f}" for rate in sorted(rates))
            where = f"{arguments.recipe}, {workers} workers, {gigabytes:g} GB of cache"
            say(f"{where}: {shown} samples a second (3 runs of {arguments.samples})")
    with tempfile.TemporaryDirectory() as folder:
        for repeats in REPEATS:
            data = repeated(arguments.data.resolve(), Path(folder) / str(repeats), repeats)
            pairs, megabytes = peak_memory(replace(recipe, data=(str(data),)), arguments.samples)
            say(f"{pairs:,} pairs: peak resident memory {megabytes:.0f} MB after {arguments.samples} samples")


def samples_a_second(recipe: Recipe, samples: int, cache_bytes: int = 0) -> float:
    """Of the loader once its workers run: the first batches are not counted, with a cache the first epoch."""
    pairs = open_set(measured_data(recipe.data), "train", recipe.frames)
    steps, warm = samples // recipe.batch_size, len(pairs) // recipe.batch_size if cache_bytes else 4
    batches = Batches(recipe, share_of(pairs), 0, steps + warm, 0, 1)
    loaded = iter(training_loader(pairs, recipe, batches, cache_bytes=cache_bytes))
    for _ in islice(loaded, warm):
        pass
    started = time.perf_counter()
    count = sum(len(batch["frame"]) for batch in loaded)
    return count / (time.perf_counter() - started)


def peak_memory(recipe: Recipe, samples: int) -> tuple[int, float]:
    """The number of pairs, and the peak resident memory, megabytes, of a new process that reads some of them."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_read, (recipe, samples))


def _read(recipe: Recipe, samples: int) -> tuple[int, float]:
    torch.set_num_threads(1)
    recipe = replace(recipe, frames=replace(recipe.frames, workers=0))
    pairs = open_set(measured_data(recipe.data), "train", recipe.frames)
    batches = Batches(recipe, share_of(pairs), 0, samples // recipe.batch_size, 0, 1)
    for _ in training_loader(pairs, recipe, batches):
        pass
    return len(pairs), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def repeated(data: Path, folder: Path, repeats: int) -> Path:
    """A dataset in `folder` whose training list names the pairs of `data` many times."""
    folder.mkdir()
    (folder / "train").symlink_to(data / "train")
    (folder / "train.txt").write_text((data / "train.txt").read_text() * repeats)
    return folder


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
