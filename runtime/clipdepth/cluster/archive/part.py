"""Parts of a video's depth: what a chunk left behind until all are there and become one."""

import json
from dataclasses import dataclass
from fractions import Fraction
from posixpath import basename, splitext

import pyarrow as pa
from pyarrow import parquet

from clipdepth.cluster.archive.chunk import Stream
from clipdepth.cluster.archive.index import SCHEMA, to_parquet
from clipdepth.cluster.archive.uri import Uri

PART = SCHEMA.append(pa.field("data", pa.large_binary()))
"""The index's rows, each with the frame's FFV1 packet, where it does not lie in a PNG."""
_FACTS = b"clipdepth"


@dataclass(frozen=True)
class PartFacts:
    """What a part says beside its rows."""

    stream: Stream
    lost: int
    """Frames that could not be decoded."""


def list_parts(folder: Uri) -> dict[int, Uri]:
    """The parts that are whole, by the index of their first frame, ascending."""
    paths = [file.path for file in folder.files(recursive=False) if not basename(file.path).startswith(".")]
    return dict(sorted((int(splitext(basename(path))[0]), folder.at(path)) for path in paths))


def write_part(folder: Uri, first: int, rows: list[dict[str, object]], facts: PartFacts) -> None:
    """Write the part that starts with frame `first` of the video."""
    stream = facts.stream
    values = [stream.height, stream.width, str(stream.time_base), facts.lost]
    table = pa.Table.from_pylist(rows, PART.with_metadata({_FACTS: json.dumps(values).encode()}))
    # The packets are compressed already.
    (folder / f"{first:09d}.parquet").write(to_parquet(table, compression="none"))


def read_part(uri: Uri) -> tuple[pa.Table, PartFacts]:
    """A part's rows and facts."""
    with uri.open() as file:
        table = parquet.read_table(file)
    # Parts of an earlier version lack columns that came later.
    rows = pa.concat_tables([PART.empty_table(), table.replace_schema_metadata()], promote_options="default")
    height, width, base, lost = json.loads(table.schema.metadata[_FACTS])
    return rows, PartFacts(Stream(height, width, Fraction(base)), lost)
