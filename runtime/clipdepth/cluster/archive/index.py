"""The index: Parquet files with a row for each frame, and what they say of the video that they are about."""

import json
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cluster.archive.chunk import Frame
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.sources import Item
from clipdepth.cluster.archive.uri import Uri

SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),  # its path or URI
        pa.field("frame", pa.int64(), nullable=False),  # its number in the source, from 0
        pa.field("time", pa.float64()),  # seconds since the source's first frame
        pa.field("stamp", pa.int64()),  # presentation time stamp, in units of the source's time base
        pa.field("depth", pa.string(), nullable=False),  # the file that has it, from the archive's folder on
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("p5", pa.float32()),  # percentiles of depth, metres
        pa.field("p50", pa.float32()),
        pa.field("p95", pa.float32()),
        pa.field("valid", pa.float32(), nullable=False),  # share of pixels whose depth is known
        pa.field("confidence", pa.float32()),  # mean over its pixels; null where none is stated, and in earlier indices
        pa.field("camera", pa.string()),  # where its focal length comes from: 'told', 'metadata', 'assumed'
        pa.field("focal_px", pa.float64()),  # in pixels of the depth; both are null in indices of earlier versions
        pa.field("bundle", pa.string(), nullable=False),  # sha256 of its manifest
        pa.field("engine", pa.string(), nullable=False),
        pa.field("precision", pa.string(), nullable=False),
    ]
)
IMAGES = "images-"
"""How the names of files about images begin; those about videos are called like them."""
_FACTS = b"clipdepth"


@dataclass(frozen=True)
class Facts:
    """What an index file says of the video it is about."""

    source: str
    size: int
    modified: float
    lost: int
    """Frames that could not be decoded."""

    def are_of(self, item: Item) -> bool:
        """Whether the video is still what it was."""
        return (self.source, self.size, self.modified) == (item.source, item.size, item.modified)


def describe(
    frame: Frame, millimetres: NDArray[np.uint16], pinhole: Intrinsics, job: Job, confidence: float | None = None
) -> dict[str, object]:
    """The index's row of a frame and its depth, (H, W) uint16 millimetres, 0 for unknown, seen through `pinhole`.

    `confidence` is the mean of what the model says of it.
    """
    counts = np.bincount(millimetres.ravel(), minlength=1)
    known = millimetres.size - int(counts[0])
    counts[0] = 0
    below = counts.cumsum()
    names = ("p5", "p50", "p95")
    ranks = [int(np.searchsorted(below, share * known)) for share in (0.05, 0.5, 0.95)] if known else ()
    return {
        "source": frame.item.source,
        "frame": frame.index,
        "time": frame.time,
        "stamp": frame.stamp,
        "depth": job.depth_path(frame.item, frame.index),
        "height": millimetres.shape[0],
        "width": millimetres.shape[1],
        **dict.fromkeys(names),
        **{name: rank / 1000 for name, rank in zip(names, ranks, strict=False)},
        "valid": known / millimetres.size,
        "confidence": confidence,
        "camera": pinhole.origin,
        "focal_px": pinhole.focal if pinhole.is_known else None,
        "bundle": job.settings.bundle,
        "engine": job.settings.engine,
        "precision": job.settings.precision,
    }


def write_index(uri: Uri, table: pa.Table, facts: Facts | None = None) -> None:
    """Write the rows of a video, with the facts, or of images."""
    if facts:
        table = table.replace_schema_metadata({_FACTS: json.dumps(asdict(facts)).encode()})
    uri.write(to_parquet(table))


def to_parquet(table: pa.Table, compression: str = "snappy") -> pa.Buffer:
    """The bytes of a Parquet file: whole before any of them is written."""
    buffer = pa.BufferOutputStream()
    parquet.write_table(table, buffer, compression=compression)
    return buffer.getvalue()


def read_facts(uri: Uri) -> Facts | None:
    """What the index says of a video; None where there is none."""
    if not uri.is_file:
        return None
    with uri.open() as file:
        return Facts(**json.loads(parquet.read_schema(file).metadata[_FACTS]))
