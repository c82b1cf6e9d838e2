"""Decoded pairs that are kept are the pairs that were read, in every process, and are read once."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import runs
from clipdepth_train.data.cache import PairCache, usual_budget
from clipdepth_train.data.loader import Batches, open_set, training_loader
from clipdepth_train.data.order import share_of
from clipdepth_train.data.sample import RgbdPair
from train.memory_set import MemorySet


class Counting(MemorySet):
    """Counts how often each pair is read."""

    def __init__(self, pairs: list[RgbdPair]) -> None:
        super().__init__(pairs)
        self.reads: list[int] = []

    def __getitem__(self, index: int) -> RgbdPair:
        self.reads.append(index)
        return super().__getitem__(index % len(self))


def some(count: int = 4, taught: bool = False) -> Counting:
    rng = np.random.default_rng(0)
    return Counting(
        [
            RgbdPair(
                rng.integers(0, 256, (12, 16, 3), dtype=np.uint8),
                rng.uniform(0, 9, (12, 16)).astype(np.float32),
                taught=rng.uniform(0, 9, (12, 16)).astype(np.float32) if taught else None,
            )
            for _ in range(count)
        ]
    )


def assert_same(found: RgbdPair, wanted: RgbdPair) -> None:
    for name in ("frame", "depth", "segmentation", "taught"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
            assert one.flags.writeable


@pytest.mark.parametrize("taught", [False, True])
def test_a_pair_is_read_once_and_is_what_was_read(taught: bool) -> None:
    pairs = some(taught=taught)
    cache = PairCache(pairs, 1 << 20)
    pairs.reads.clear()
    for turn in range(3):
        for index in range(len(pairs)):
            found = cache[index]
            assert_same(found, MemorySet.__getitem__(pairs, index))
            if turn:
                found.depth[:] = -1  # nobody else's copy
    assert pairs.reads == [0, 1, 2, 3]
    assert_same(cache[6], MemorySet.__getitem__(pairs, 2))


def test_what_the_budget_does_not_hold_is_read_each_time() -> None:
    pairs = some()
    slot = PairCache(pairs, 1 << 20).slot_bytes
    cache = PairCache(pairs, 2 * slot + slot // 2)
    assert cache.kept == 2
    pairs.reads.clear()
    for index in [*range(4), *range(4)]:
        assert_same(cache[index], MemorySet.__getitem__(pairs, index))
    assert sorted(pairs.reads) == [0, 1, 2, 2, 3, 3]
    nothing = PairCache(pairs, 0)
    pairs.reads.clear()
    assert [nothing[0].depth.shape, nothing[0].depth.shape] == [(12, 16)] * 2
    assert pairs.reads == [0, 0]


def test_a_pair_larger_than_its_slot_is_read_each_time() -> None:
    large = RgbdPair(np.zeros((480, 640, 3), np.uint8), np.ones((480, 640), np.float32))
    pairs = Counting([MemorySet.__getitem__(some(), 0), large])
    cache = PairCache(pairs, 1 << 24)
    pairs.reads.clear()
    for _ in range(2):
        assert_same(cache[1], large)
        assert cache[0].depth.shape == (12, 16)
    assert pairs.reads == [1, 0, 1]


def _fill(cache: PairCache, index: int) -> None:
    assert cache[index].depth.shape == (12, 16)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_it(method: str) -> None:
    pairs = some()
    cache = PairCache(pairs, 1 << 20)
    worker = multiprocessing.get_context(method).Process(target=_fill, args=(cache, 1))
    worker.start()
    worker.join(120)
    assert worker.exitcode == 0
    pairs.reads.clear()
    assert_same(cache[1], MemorySet.__getitem__(pairs, 1))
    assert pairs.reads == []


def test_batches_are_the_same_and_no_file_is_read_twice(tmp_path: Path) -> None:
    data = runs.write_rgbd_folder(tmp_path, train=4, test=1)
    recipe = runs.tiny_recipe(data)
    recipe = replace(recipe, frames=replace(recipe.frames, workers=1))

    def batches(cache_bytes: int, spoil: bool = False) -> list[dict[str, torch.Tensor]]:
        pairs = open_set(str(data), "train", recipe.frames)
        found = []
        # The second epoch's batches are asked for once the first is loaded and two ahead of it.
        for number, batch in enumerate(
            training_loader(pairs, recipe, Batches(recipe, share_of(pairs), 0, 8, 0, 1), cache_bytes=cache_bytes)
        ):
            found.append({name: value.clone() for name, value in batch.items()})
            if spoil and number == 1:
                for path in data.rglob("rgb_*.jpg"):
                    path.write_bytes(b"gone")
        return found

    plain, kept = batches(0), batches(1 << 24, spoil=True)
    assert len(plain) == len(kept) == 8
    for one, other in zip(plain, kept, strict=True):
        assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_usual_budget_is_half_of_what_is_free() -> None:
    assert 0 < usual_budget() < 1 << 50
