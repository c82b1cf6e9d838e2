"""What is left to do, as far as it can be told without Ray, which takes seconds to start."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pyarrow import parquet

from clipdepth.cluster.archive.index import IMAGES, Facts, read_facts
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.results import Complete
from clipdepth.cluster.archive.sources import Item

IMAGES_TOGETHER = 64
"""How many images make a chunk, at most."""
LOOKED_AT, AT_ONCE = 1000, 16
"""Of more videos than that Ray's tasks look at the indices, of fewer so many threads."""


def complete(items: Sequence[Item], job: Job) -> list[Complete] | None:
    """The videos, where each of them and each image has its depth; None where something is left to do."""
    found, _ = units(items, job)
    left = [item for unit in found for item in unit]
    if len(left) > LOOKED_AT or any(item.is_image or item.problem for item in left):
        return None
    there = {file.path for file in job.index("").parent.files()}
    if any(job.index(item.name).path not in there for item in left):
        return None
    with ThreadPoolExecutor(AT_ONCE) as pool:
        facts = list(pool.map(lambda item: read_facts(job.index(item.name)), left))
    return _all(left, facts)


def _all(items: Sequence[Item], facts: Sequence[Facts | None]) -> list[Complete] | None:
    found = [Complete(item, each.lost) for item, each in zip(items, facts, strict=True) if each and each.are_of(item)]
    return found if len(found) == len(items) else None


def units(items: Sequence[Item], job: Job) -> tuple[list[list[Item]], int]:
    """Videos one by one and the images that have no depth yet in groups; and how many images have it."""
    images = [item for item in items if item.is_image and not item.problem]
    done = _done_images(job) if images else set()
    left = [item for item in images if item.source not in done]
    together = min(IMAGES_TOGETHER, job.chunk_frames)
    groups = [left[at : at + together] for at in range(0, len(left), together)]
    alone = [[item] for item in items if not item.is_image or item.problem]
    return [*alone, *groups], len(images) - len(left)


def _done_images(job: Job) -> set[str]:
    files = job.index("").parent.files(recursive=False)
    uris = [job.folder.at(file.path) for file in files if IMAGES in file.path]
    done: set[str] = set()
    for uri in uris:
        with uri.open() as file:
            done.update(parquet.read_table(file, columns=["source"])["source"].to_pylist())
    return done
