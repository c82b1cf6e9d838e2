"""From the parts of a video to its depth and its index, when all are there."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import pyarrow as pa

from clipdepth.cluster.archive.ffv1 import matroska
from clipdepth.cluster.archive.index import SCHEMA, Facts, write_index
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.part import list_parts, read_part
from clipdepth.cluster.archive.results import Failed, Joined
from clipdepth.cluster.archive.sources import Item
from clipdepth.cluster.archive.uri import Uri


def join(item: Item, job: Job) -> Joined | Failed:
    """Write a video's depth, then its index, then remove the parts: a run that is cut short begins here again."""
    begin = perf_counter()
    folder = job.parts(item)
    parts = list(list_parts(folder).values())
    if job.settings.format == "mkv":
        tables, lost = _join_video(parts, job.folder / job.depth_path(item, 0), job.work)
    else:
        tables, lost = _join_rows(parts)
    rows = pa.concat_tables(tables)
    if not len(rows):
        return Failed(item.source, f"{item.source} has no frame that can be decoded; copy it again or convert it")
    write_index(job.index(item.name), rows, Facts(item.source, item.size, item.modified, lost))
    folder.remove()
    return Joined(item, lost, perf_counter() - begin)


def _join_video(parts: Sequence[Uri], uri: Uri, work: Uri) -> tuple[list[pa.Table], int]:
    """Write the video; return the index's rows, a table for each part, and how many frames are lost."""
    stream = read_part(parts[0])[1].stream
    with TemporaryDirectory(dir=work.path if work.is_local else None) as scratch:
        draft = Path(scratch, "depth.mkv")
        tables, lost = [], 0
        with matroska(draft, stream.height, stream.width) as video:
            for part in parts:
                rows, facts = read_part(part)
                for stamp, data in zip(rows["stamp"].to_pylist(), rows["data"].to_pylist(), strict=True):
                    video.write(data, stamp, stream.time_base)
                tables.append(rows.select(SCHEMA.names).replace_schema_metadata())
                lost += facts.lost
        if any(map(len, tables)):
            uri.take(draft)
    return tables, lost


def _join_rows(parts: Sequence[Uri]) -> tuple[list[pa.Table], int]:
    found = [read_part(part) for part in parts]
    tables = [rows.select(SCHEMA.names).replace_schema_metadata() for rows, _ in found]
    return tables, sum(facts.lost for _, facts in found)
