"""The stages as a Ray Data pipeline: Ray schedules, retries and holds back; nothing of that is ours."""

import pickle
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext, ExecutionResources

from clipdepth.cluster.archive.chunk import unpack
from clipdepth.cluster.archive.decode import decode
from clipdepth.cluster.archive.encode import encode
from clipdepth.cluster.archive.infer import Inference
from clipdepth.cluster.archive.job import CHUNK_BYTES, Job
from clipdepth.cluster.archive.plan import plan
from clipdepth.cluster.archive.sources import Item
from clipdepth.cluster.connection import Resources
from clipdepth.cluster.sent_bundle import SentBundle

MANY, PLANNED_TOGETHER = 1000, 16
"""With more videos than that, a task plans several, one after the other."""
TASK_HEAP, ACTOR_HEAP = 512 << 20, 1 << 30
"""Bytes of memory that tasks and actors declare, beside the object store. They differ: Ray Data would have actors
decode, too, where all that is declared is the same."""


def results(units: Sequence[Sequence[Item]], job: Job, resources: Resources, sent: SentBundle | None) -> Iterator[Any]:
    """Run the stages over units, a video or some images each, and yield their results as they come.

    A worker that dies is replaced and its chunk made again. Raises what a stage raised.
    """
    context = DataContext.get_current()
    context.enable_progress_bars = False
    # A row is a chunk; smaller blocks than this hold one row each.
    context.target_max_block_size = CHUNK_BYTES // 4
    context.execution_options.resource_limits = ExecutionResources(object_store_memory=resources.store)
    rows = [{"items": pickle.dumps(list(unit))} for unit in units]
    blocks = ceil(len(rows) / PLANNED_TOGETHER) if len(rows) > MANY else len(rows)
    task: dict[str, Any] = {"num_cpus": 1, "memory": TASK_HEAP, "fn_kwargs": {"job": job}}
    dataset = (
        ray.data.from_items(rows, override_num_blocks=blocks)
        .flat_map(_stage(plan), **task)
        .repartition(target_num_rows_per_block=1)
        .flat_map(_stage(decode), **task)
        .map(
            _stage(Inference),
            fn_constructor_args=(job, sent),
            compute=ActorPoolStrategy(size=resources.workers),
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            memory=ACTOR_HEAP,
        )
        .map(_stage(encode), **task)
    )
    for row in dataset.iter_rows():
        yield unpack(row)


def _stage(function: Any) -> Any:
    """The function itself: Ray's annotations know none that take `fn_kwargs`."""
    return function
