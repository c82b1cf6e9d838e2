"""Typed JSON that a device reads from folders it does not trust: what its records are made of, and their errors."""

from typing import Annotated, TypeVar

import msgspec

from clipdepth.errors import BundleError
from clipdepth.files.foreign import shortened

Positive = Annotated[int, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
# A plain file name: no folder, so that nothing outside the bundle can be named.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=255)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a manifest: immutable, and a field it does not know is an error."""


class _SchemaOnly(msgspec.Struct):
    schema: int


AnyRecord = TypeVar("AnyRecord", bound=Record)


def decode_record(data: bytes, kind: type[AnyRecord], schema: int, where: str, remedy: str) -> AnyRecord:
    """Read `data` as a record of `schema`; raises BundleError naming `where`, the field and the remedy."""
    try:
        found = msgspec.json.decode(data, type=_SchemaOnly).schema
        if found != schema:
            raise BundleError(
                f"{where} has schema {found}, this clipdepth reads schema {schema}; "
                f"{remedy}, or install the version of clipdepth that wrote it"
            )
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem, _, place = str(error).partition(" - at ")
        name = place.rpartition("$")[2].strip(".`")
        field = f"field {name}: " if name else ""
        raise BundleError(f"{where}: {shortened(field + problem)}; {remedy}") from None


def encode_record(record: Record) -> bytes:
    """The record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
