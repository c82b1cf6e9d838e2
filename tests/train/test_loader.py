"""Training batches: complete, resumable, shared between processes, and the same whoever loads them."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import runs
from clipdepth.errors import DataError
from clipdepth_train.data.loader import Batches, Key, TrainingPairs, open_set, steps_per_epoch, training_loader
from clipdepth_train.data.order import Share
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.objective import Batch
from clipdepth_train.recipe import AugmentConfig, DataConfig, LossConfig, Recipe, ViewConfig
from train.memory_set import MemorySet, coordinate_depth, coordinate_frame

PAIRS = 11


def recipe(batch_size: int = 4, seed: int = 0, workers: int = 0) -> Recipe:
    return runs.tiny_recipe("memory", batch_size=batch_size, seed=seed, frames=DataConfig(16, 24, workers=workers))


def share(window: int = PAIRS) -> tuple[Share, ...]:
    return (Share(PAIRS, window),)


def batches(start: int = 0, end: int = 6, process: int = 0, processes: int = 1, seed: int = 0) -> list[list[Key]]:
    sampler = Batches(recipe(seed=seed), share(), start, end, process, processes)
    keys = list(sampler)
    assert len(keys) == len(sampler)
    return keys


def pairs() -> MemorySet:
    return MemorySet([RgbdPair(coordinate_frame(16, 24, 3) + i, coordinate_depth(16, 24)) for i in range(PAIRS)])


def test_an_epoch_shows_every_pair_once_but_for_an_incomplete_batch() -> None:
    assert steps_per_epoch(PAIRS, 4) == 2
    for epoch in range(3):
        keys = [key for batch in batches()[2 * epoch : 2 * epoch + 2] for key in batch]
        assert {e for e, _, _ in keys} == {epoch}
        assert len({i for _, i, _ in keys}) == 8
        assert {i for _, i, _ in keys} <= set(range(PAIRS))
    everything = Batches(recipe(batch_size=1), share(), 0, PAIRS, 0, 1)
    assert sorted(i for batch in everything for _, i, _ in batch) == list(range(PAIRS))


def test_what_an_epoch_leaves_out_comes_in_another() -> None:
    assert {i for batch in batches(end=40) for _, i, _ in batch} == set(range(PAIRS))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    order = [i for batch in batches() for _, i, _ in batch]
    assert order[:8] != order[8:16]
    assert batches(seed=0) == batches(seed=0)
    assert batches(seed=1) != batches(seed=0)


def test_a_window_of_neighbours_is_shown_before_the_next() -> None:
    keys = Batches(recipe(batch_size=1), share(window=4), 0, 2 * PAIRS, 0, 1)
    order = [i for batch in keys for _, i, _ in batch]
    for epoch in (order[:PAIRS], order[PAIRS:]):
        assert sorted(epoch) == list(range(PAIRS))
        windows = [i // 4 for i in epoch]
        assert sum(a != b for a, b in pairwise(windows)) == 2
        assert epoch != list(range(PAIRS))
    assert order[:PAIRS] != order[PAIRS:]


@pytest.mark.parametrize("step", range(7))
def test_a_resumed_run_sees_what_an_undisturbed_one_would(step: int) -> None:
    assert batches(start=step) == batches()[step:]


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_each_batch(processes: int) -> None:
    shares = [batches(process=process, processes=processes) for process in range(processes)]
    for whole, *parts in zip(batches(), *shares, strict=True):
        assert {len(part) for part in parts} == {4 // processes}
        assert sorted(key for part in parts for key in part) == sorted(whole)


def test_too_few_pairs_for_a_batch_are_told() -> None:
    with pytest.raises(DataError, match="3 training pairs do not fill a batch of 4; lower --batch-size"):
        steps_per_epoch(3, 4)


def loaded(made: Recipe) -> list[Batch]:
    return list(training_loader(pairs(), made, Batches(made, share(), 0, 4, 0, 1)))


def with_view(kind: str, **changes: Any) -> Recipe:
    """A recipe with a second view of `kind`."""
    made = recipe(**changes)
    if kind == "none":
        return made
    return replace(made, view=ViewConfig(kind), loss=LossConfig("none", photometric=1.0))  # type: ignore[arg-type]


VIEW = {
    "view": ((4, 16, 24, 3), torch.uint8),
    "camera": ((4, 3, 3), torch.float32),
    "view_camera": ((4, 3, 3), torch.float32),
    "pose": ((4, 4, 4), torch.float32),
}


@pytest.mark.parametrize("kind", ["none", "warped", "neighbour"])
def test_the_number_of_workers_changes_no_bit(kind: str) -> None:
    alone, two = (loaded(with_view(kind, workers=workers)) for workers in (0, 2))
    assert len(alone) == len(two) == 4
    frame_and_depth = {"frame": ((4, 16, 24, 3), torch.uint8), "depth": ((4, 16, 24), torch.float32)}
    wanted = frame_and_depth if kind == "none" else frame_and_depth | VIEW
    for batch, other in zip(alone, two, strict=True):
        assert {name: (tuple(value.shape), value.dtype) for name, value in batch.items()} == wanted
        assert other.keys() == batch.keys()
        assert all(torch.equal(other[name], value) for name, value in batch.items())


@pytest.mark.parametrize("kind", ["none", "warped", "neighbour"])
def test_a_pair_looks_the_same_by_key_and_different_by_epoch_and_seed(kind: str) -> None:
    first, again = (TrainingPairs(pairs(), with_view(kind))[0, 3, 0] for _ in range(2))
    assert again.keys() == first.keys()
    assert all(torch.equal(again[name], value) for name, value in first.items())
    others = TrainingPairs(pairs(), with_view(kind))[1, 3, 0], TrainingPairs(pairs(), with_view(kind, seed=1))[0, 3, 0]
    for other in others:
        assert not torch.equal(first["frame"], other["frame"])


def test_a_neighbour_is_the_one_before_or_the_one_after() -> None:
    still = replace(with_view("neighbour"), augment=AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0))
    frames = [pairs()[i].frame for i in range(PAIRS)]
    sides = []
    for epoch in range(40):
        batch = TrainingPairs(pairs(), still)[epoch, 3, 0]
        sides.append(-round(float(batch["pose"][0, 3])))
        np.testing.assert_array_equal(batch["view"].numpy(), frames[3 + sides[-1]])
        np.testing.assert_array_equal(batch["frame"].numpy(), frames[3])
    assert set(sides) == {-1, 1}
    assert 8 < sides.count(1) < 32


@pytest.mark.parametrize("accumulate", [2, 4])
def test_a_batch_comes_in_parts_that_make_it_up(accumulate: int) -> None:
    made = replace(recipe(), accumulate=accumulate)
    sampler = Batches(made, share(), 0, 6, 0, 1)
    parts = list(sampler)
    assert len(parts) == len(sampler) == 6 * accumulate
    assert {len(part) for part in parts} == {4 // accumulate}
    whole = [parts[first : first + accumulate] for first in range(0, len(parts), accumulate)]
    assert [[key for part in batch for key in part] for batch in whole] == batches()


def test_processes_share_each_part_of_a_batch() -> None:
    made = replace(recipe(), accumulate=2)
    whole, *shares = (list(Batches(made, share(), 0, 6, *part)) for part in ((0, 1), (0, 2), (1, 2)))
    for part, mine, other in zip(whole, *shares, strict=True):
        assert (len(mine), len(other)) == (1, 1)
        assert sorted([*mine, *other]) == sorted(part)


def test_rooms_have_no_segmentation() -> None:
    with pytest.raises(DataError, match=r"'rooms' has no segmentation; .*clipdepth data render rooms"):
        open_set("rooms", "train", DataConfig(48, 64, segments="sam-vit_b"))


def test_rooms_are_rendered_at_the_input_size_or_at_nyus() -> None:
    assert open_set("rooms", "train", DataConfig(48, 64)).picture_size == (48, 64)
    assert open_set("rooms", "train", DataConfig(416, 544, "paper")).picture_size == (480, 640)


def test_a_folder_is_opened_by_split_and_dense_only_for_training(tmp_path: Path) -> None:
    folder = runs.write_rgbd_folder(tmp_path, 2, 1, 24, 32)
    for split in ("train", "test"):
        for depth in list((folder / split).rglob("sync_depth_*.png")):
            dense = depth.parent / "dense" / depth.name.replace("depth_", "depth_dense_")
            dense.parent.mkdir(exist_ok=True)
            dense.write_bytes(depth.read_bytes())
            depth.write_bytes((folder / "test/room_1/sync_depth_00000.png").read_bytes())
    frames = DataConfig(24, 32)
    measured = open_set(str(folder), "train", frames)
    filled = open_set(str(folder), "train", replace(frames, dense=True))
    assert (len(measured), len(open_set(str(folder), "test", frames))) == (2, 1)
    assert not np.array_equal(measured[1].depth, filled[1].depth)
    scaled = open_set(str(folder), "train", replace(frames, depth_scale=2000.0))
    np.testing.assert_allclose(scaled[1].depth, measured[1].depth / 2)


def test_half_of_the_batches_are_of_the_other_sizes_each_batch_of_one() -> None:
    made = recipe()
    made = replace(made, frames=replace(made.frames, other_sizes=((24, 16), (16, 16))))
    drawn = list(Batches(made, share(), 0, 200, 0, 1))
    sizes = [{size for _, _, size in batch} for batch in drawn]
    assert all(len(each) == 1 for each in sizes)
    counts = [sum(each == {size} for each in sizes) for size in range(3)]
    assert 80 < counts[0] < 120
    assert min(counts[1:]) > 30
    assert list(Batches(made, share(), 150, 200, 0, 1)) == drawn[150:], "a resumed run draws the same"
    shapes = [batch["frame"].shape[1:3] for batch in training_loader(pairs(), made, Batches(made, share(), 0, 6, 0, 1))]
    assert shapes == [((16, 24), (24, 16), (16, 16))[batch[0][2]] for batch in drawn[:6]]
