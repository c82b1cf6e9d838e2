"""What a bundle says of itself: `manifest.json`, read by typed, validating code."""

from typing import Annotated, Any

import msgspec

from clipdepth.agreement import Agreement
from clipdepth.errors import BundleError

SCHEMA = 1

Positive = Annotated[int, msgspec.Meta(gt=0)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
# A plain file name: no folder, so that nothing outside the bundle can be named.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the manifest: immutable, and a field it does not know is an error."""


class Model(_Record, frozen=True):
    """The network inside: the recipe that trained it, its size and its cost a frame (2 per multiply-add)."""

    recipe: dict[str, Any]
    parameters: Positive
    flops: Positive
    checkpoint_sha256: Sha256


class InputSize(_Record, frozen=True):
    """The frame the graph takes, in pixels."""

    height: Positive
    width: Positive


class DepthRange(_Record, frozen=True):
    """The smallest and largest depth the graph can answer, in metres."""

    minimum: PositiveFloat
    maximum: PositiveFloat


class Camera(_Record, frozen=True):
    """The training camera's focal lengths, in pixels of the input size; depth is metric for such a camera."""

    fx: PositiveFloat
    fy: PositiveFloat


class Licence(_Record, frozen=True):
    """What a part of the bundle may be used for."""

    part: str
    licence: str


class Graph(_Record, frozen=True):
    """A graph's file and what its verification against PyTorch fp32 measured."""

    file: FileName
    opset: Positive
    verification: Agreement


class StoredFile(_Record, frozen=True):
    """What a file must be, byte for byte."""

    sha256: Sha256
    size: Positive


class Manifest(_Record, frozen=True):
    """The whole of `manifest.json`."""

    schema: int
    name: str
    written_by: dict[str, str]
    model: Model
    input: InputSize
    depth: DepthRange
    camera: Camera
    licences: list[Licence]
    graphs: Annotated[dict[str, Graph], msgspec.Meta(min_length=1)]
    golden: FileName
    files: dict[FileName, StoredFile]


class _SchemaOnly(msgspec.Struct):
    schema: int


def decode_manifest(data: bytes, where: str) -> Manifest:
    """Read and check `data`; raises BundleError naming `where`, the field and the remedy."""
    try:
        schema = msgspec.json.decode(data, type=_SchemaOnly).schema
        if schema != SCHEMA:
            raise BundleError(
                f"{where} has schema {schema}, this clipdepth reads schema {SCHEMA}; "
                "export the bundle again, or install the version of clipdepth that wrote it"
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        problem, _, place = str(error).partition(" - at ")
        name = place.rpartition("$")[2].strip(".`")
        field = f"field {name}: " if name else ""
        raise BundleError(f"{where}: {field}{problem}; export the bundle again") from None
    _check_consistency(manifest, where)
    return manifest


def _check_consistency(manifest: Manifest, where: str) -> None:
    named = {f"graphs.{name}.file": graph.file for name, graph in manifest.graphs.items()}
    for field, file in {**named, "golden": manifest.golden}.items():
        if file not in manifest.files:
            raise BundleError(f"{where}: field {field}: {file} is not in files; export the bundle again")
    if manifest.depth.minimum >= manifest.depth.maximum:
        raise BundleError(f"{where}: field depth: minimum is not below maximum; export the bundle again")
    for name, graph in manifest.graphs.items():
        if not graph.verification:
            raise BundleError(f"{where}: field graphs.{name}.verification: it did not pass; export again")


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
