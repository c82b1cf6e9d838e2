"""A folder that holds Segment Anything alone: its `sam.json` and the graphs, checked before they are used."""

from dataclasses import dataclass
from pathlib import Path

from clipdepth.bundle.graph_check import check_graphs
from clipdepth.bundle.manifest import Licence, StoredFile
from clipdepth.bundle.record import FileName, Record, decode_record
from clipdepth.bundle.sam_record import SamRecord
from clipdepth.bundle.stored_file import check_files
from clipdepth.errors import BundleError

SAM_MANIFEST = "sam.json"
SAM_SCHEMA = 1
_REMEDY = "run 'clipdepth export-sam' again"


class SamManifest(Record, frozen=True):
    """The whole of `sam.json`."""

    schema: int
    written_by: dict[str, str]
    licences: list[Licence]
    sam: SamRecord
    files: dict[FileName, StoredFile]


@dataclass(frozen=True)
class SamFolder:
    """A folder whose files are those that its manifest states."""

    path: Path
    manifest: SamManifest


def read_sam_manifest(path: Path) -> SamManifest:
    """The `sam.json` of a folder; raises BundleError where it has none of ours."""
    where = path / SAM_MANIFEST
    if not where.is_file():
        raise BundleError(f"{path} has no {SAM_MANIFEST}, so it holds no SAM; {_REMEDY}")
    return decode_record(where.read_bytes(), SamManifest, SAM_SCHEMA, str(where), _REMEDY)


def open_sam(path: Path) -> SamFolder:
    """Open the folder `path` and check every file's size and hash.

    Raises BundleError where it is missing, damaged, tampered with or of an unsupported schema.
    """
    where = path / SAM_MANIFEST
    if not path.is_dir():
        raise BundleError(f"no folder of SAM at {path}; make one with 'clipdepth export-sam --out {path}'")
    manifest = read_sam_manifest(path)
    problem = manifest.sam.problem(manifest.files)
    if problem:
        raise BundleError(f"{where}: field sam.{problem}; {_REMEDY}")
    check_files(path, manifest.files, _REMEDY)
    check_graphs(path, manifest.sam.graph_files, manifest.files, _REMEDY)
    return SamFolder(path, manifest)
