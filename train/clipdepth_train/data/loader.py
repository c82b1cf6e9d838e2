"""Training batches: which pairs, in which order, augmented how, all decided by the seed."""

import signal
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from clipdepth.engines import usable_cores
from clipdepth.errors import DataError
from clipdepth_train.data.cache import PairCache
from clipdepth_train.data.camera import camera_of
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.order import Share, epoch_length, epoch_order
from clipdepth_train.data.pictures import PictureSet
from clipdepth_train.data.rooms import RoomsSet
from clipdepth_train.data.sample import RgbdSet, Split
from clipdepth_train.data.segments import read_segments
from clipdepth_train.data.transforms import augment_pair, augment_views, augment_warped, augmentation, pair_seed
from clipdepth_train.named_data import ROOMS, is_unmeasured
from clipdepth_train.recipe import DataConfig, Recipe

MOST_WORKERS = 8
Key = tuple[int, int, int]
"""An epoch, the index of a pair, and which of the recipe's sizes it is brought to: 0 for the first."""


def open_set(data: str, split: Split, frames: DataConfig) -> RgbdSet:
    """Open a split of `data`, a folder or 'rooms'; raises DataError where there is none.

    Pictures and videos without depth are split by `PictureSet`; all their depth is unknown.
    """
    if data == ROOMS:
        if frames.segments:
            raise DataError("'rooms' has no segmentation; write it with 'clipdepth data render rooms' and segment that")
        if frames.held_out:
            raise DataError("'rooms' has its own test rooms; leave out --frames.held-out")
        size = (480, 640) if frames.picture == "paper" else (frames.height, frames.width)
        return RoomsSet(split, *size, frames.rooms, frames.max_depth)
    if is_unmeasured(data):
        return PictureSet(Path(data), frames.every, split)
    dense = frames.dense and split == "train"
    segments = partial(read_segments, Path(data), frames.segments) if frames.segments else None
    return FolderSet(Path(data), split, frames.depth_scale, frames.max_depth, dense, segments, frames.held_out)


def steps_per_epoch(pairs: int, batch_size: int) -> int:
    """The number of whole batches; raises DataError where there is not even one."""
    if pairs < batch_size:
        raise DataError(f"{pairs} training pairs do not fill a batch of {batch_size}; lower --batch-size")
    return pairs // batch_size


class TrainingPairs(Dataset[dict[str, Tensor]]):
    """Augmented pairs of a set, with their second views where the recipe wants them, by key.

    As many as `cache_bytes` hold are decoded once.
    """

    def __init__(self, pairs: RgbdSet, recipe: Recipe, cache_bytes: int = 0) -> None:
        self._pairs, self.cache = pairs, PairCache(pairs, cache_bytes)
        self._camera = camera_of(pairs)
        frames = recipe.frames
        self._transforms = [augmentation(frames, recipe.augment, self._camera, size) for size in frames.sizes]
        self._view = recipe.view
        self._seed = recipe.seed

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        epoch, index, size = key
        seed, transform = pair_seed(self._seed, epoch, index), self._transforms[size]
        pair = self.cache[index]
        if self._view.kind == "neighbour":
            neighbour = partial(self._pairs.neighbour, index)
            return augment_views(pair, self._camera, neighbour, transform, seed)
        if self._view.kind == "warped":
            return augment_warped(pair, self._camera, self._view, transform, seed)
        return augment_pair(pair, transform, seed)


class Batches(Sampler[list[Key]]):
    """The batches of steps `start` to `end` of one process: its share of each batch, in the recipe's parts.

    Every epoch has the order that `epoch_order` draws of the `shares`; an incomplete last batch is left out. Since a
    step's batch depends on the step alone, a resumed run sees what an undisturbed one would have seen.
    """

    def __init__(
        self, recipe: Recipe, shares: Sequence[Share], start: int, end: int, process: int, processes: int
    ) -> None:
        self._recipe, self._shares = recipe, shares
        self._start, self._end = start, end
        self._share = slice(process, None, processes)

    def __len__(self) -> int:
        return (self._end - self._start) * self._recipe.accumulate

    def __iter__(self) -> Iterator[list[Key]]:
        size = self._recipe.batch_size
        per_epoch = steps_per_epoch(epoch_length(self._shares), size)
        shown = -1
        for step in range(self._start, self._end):
            epoch, batch = divmod(step, per_epoch)
            if epoch != shown:
                order, shown = epoch_order(self._shares, self._recipe.seed, epoch), epoch
            drawn = self._size(step)
            keys = [(epoch, i, drawn) for i in order[batch * size : (batch + 1) * size]]
            part = size // self._recipe.accumulate
            yield from (keys[first : first + part][self._share] for first in range(0, size, part))

    def _size(self, step: int) -> int:
        """Which size a step's batch has: the first one, or one of the others, by halves."""
        others = len(self._recipe.frames.other_sizes)
        draw = Random(f"{self._recipe.seed}/size/{step}")
        return draw.randint(1, others) if others and draw.random() < 0.5 else 0


def _prepare_worker(worker: int) -> None:
    # One process is one core's work; OpenCV's own threads would take PyTorch's.
    cv2.setNumThreads(0)
    # Terminals and service managers signal workers too; they have to live until the trainer has saved.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def workers_by_cores(processes: int) -> int:
    """The processes that load data for each of the training processes of a machine: one for two cores, 8 at most."""
    return max(1, min(MOST_WORKERS, usable_cores() // (2 * processes)))


def training_loader(
    pairs: RgbdSet, recipe: Recipe, batches: Batches, processes: int = 1, cache_bytes: int = 0
) -> DataLoader[dict[str, Tensor]]:
    """Batches as `Batch` describes them, for one of the training processes of this machine; see `TrainingPairs`."""
    workers = recipe.frames.workers
    return DataLoader(
        TrainingPairs(pairs, recipe, cache_bytes),
        batch_sampler=batches,
        num_workers=workers_by_cores(processes) if workers is None else workers,
        worker_init_fn=_prepare_worker,
        pin_memory=torch.cuda.is_available(),
    )
