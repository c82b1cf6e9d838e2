"""Bundles from a hub: looked up, downloaded file by file as their manifest states them, and kept in the cache."""

import errno
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipdepth import __version__
from clipdepth.bundle.cache import make_private, read_own
from clipdepth.bundle.hub_errors import hub_errors, import_hub, is_unreachable, raise_as_ours
from clipdepth.bundle.hub_name import HubName, parse_hub_name
from clipdepth.bundle.manifest import LARGEST_MANIFEST, MANIFEST, Manifest, StoredFile, decode_manifest
from clipdepth.bundle.stored_file import check_files
from clipdepth.errors import BundleError, DownloadError, OutputError
from clipdepth.files.atomic import write_text
from clipdepth.files.claim import claimed
from clipdepth.files.foreign import shown

TIMEOUT_S = 10.0
"""How long the hub may take to say what it has."""
_LOG = logging.getLogger(__name__)
_FULL = "free some space, or set XDG_CACHE_HOME to another place"
_DAMAGED = "the bundle on the hub is damaged; push it again"


def fetch_bundle(named: str) -> Path:
    """The folder of the bundle that `hf:OWNER/NAME[@REVISION]` means now, downloaded where it is not in the cache.

    The weights to train on from are left out, see `fetch_weights`. A commit that is in the cache is taken without a
    question to the hub. Where the hub cannot be reached, the commit that the name last meant is taken, and said.
    Raises UsageError for a name that is none, BundleError where the repository holds no sound bundle, DownloadError
    where the hub refuses or cannot be reached, OutputError where the disk is full, and MissingExtraError.
    """
    name = parse_hub_name(named)
    if name.is_commit and name.folder.is_dir():
        return name.folder
    found = _look_up(name)
    pinned = name.at(found.sha) if found else _remembered(name)
    if found and not pinned.folder.is_dir():
        _download_bundle(pinned, {file.rfilename: file.size for file in found.siblings or ()})
    if found and not name.is_commit:
        make_private(name.reference.parent)
        write_text(name.reference, pinned.revision)
    return pinned.folder


def holds_bundle(named: str) -> bool:
    """Whether the cache or the hub has a bundle of the name 'hf:OWNER/NAME[@REVISION]', and not another model."""
    name = parse_hub_name(named)
    if _is_remembered(name) or name.folder.is_dir():
        return True
    try:
        found = _look_up(name)
    except DownloadError:
        return False
    return any(file.rfilename == MANIFEST for file in found.siblings or ())


def fetch_weights(pinned: HubName, manifest: Manifest) -> None:
    """Download the weights of a bundle that `fetch_bundle` brought, where they are not there; raises as that does."""
    if manifest.weights is None or (pinned.folder / manifest.weights).exists():
        return
    with _staging(pinned) as staging:
        _download(pinned, {manifest.weights: manifest.files[manifest.weights]}, staging)
        (staging / manifest.weights).replace(pinned.folder / manifest.weights)


def hub_api() -> Any:
    """The hub's interface, with the user's own token and HF_ENDPOINT."""
    return import_hub("a bundle on the hub").HfApi(library_name="clipdepth", library_version=__version__)


def _look_up(name: HubName) -> Any:
    """What the hub has at that revision; None where it cannot be reached and the cache has what the name last meant."""
    api = hub_api()
    try:
        found = api.model_info(name.repository, revision=name.revision, files_metadata=True, timeout=TIMEOUT_S)
    except Exception as error:
        if not (is_unreachable(error) and _is_remembered(name)):
            raise_as_ours(error, str(name))
        _LOG.warning("the hub cannot be reached; taking %s as it was last found", _remembered(name))
        return None
    if not isinstance(found.sha, str) or not name.at(found.sha).is_commit:
        raise DownloadError(f"{name}: the hub states no commit for it; check HF_ENDPOINT")
    return found


def _remembered(name: HubName) -> HubName:
    return name.at((read_own(name.reference) or b"").decode(errors="replace").strip())


def _is_remembered(name: HubName) -> bool:
    found = _remembered(name)
    return found.is_commit and found.folder.is_dir()


def _download_bundle(pinned: HubName, sizes: Mapping[str, int | None]) -> None:
    """Download the manifest and then the files that it names; they are in the cache together or not at all."""
    if MANIFEST not in sizes:
        raise BundleError(f"{pinned} is no bundle: it has no {MANIFEST}{_remedy_without_manifest(pinned, sizes)}")
    _require_small(pinned, sizes[MANIFEST] or 0)
    with _staging(pinned) as staging:
        if pinned.folder.is_dir():  # another process brought it while this one waited
            return
        _download_file(pinned, MANIFEST, staging)
        _require_small(pinned, (staging / MANIFEST).stat().st_size)
        manifest = decode_manifest((staging / MANIFEST).read_bytes(), f"{MANIFEST} of {pinned}", any_tolerance=True)
        files = {name: stated for name, stated in manifest.files.items() if name != manifest.weights}
        _require_same_sizes(pinned, manifest.files, sizes)
        _download(pinned, files, staging)
        shutil.rmtree(staging / ".cache", ignore_errors=True)  # huggingface_hub's notes on its downloads
        _remove_others(staging, {MANIFEST, *files})
        staging.replace(pinned.folder)


def _remedy_without_manifest(pinned: HubName, sizes: Mapping[str, int | None]) -> str:
    if "config.json" in sizes:
        return f"; it may be a model of transformers: make a bundle of it with 'clipdepth export {pinned} --out BUNDLE'"
    return f"; bundles come there with 'clipdepth push BUNDLE {pinned.repository}'"


def _require_small(pinned: HubName, size: int) -> None:
    if size > LARGEST_MANIFEST:
        raise BundleError(f"{pinned}: {MANIFEST} has more than {LARGEST_MANIFEST} bytes; {_DAMAGED}")


def _require_same_sizes(pinned: HubName, files: Mapping[str, StoredFile], sizes: Mapping[str, int | None]) -> None:
    """Raise BundleError where the repository lacks a file or has one of another size, before anything is downloaded."""
    for name, stated in files.items():
        if name not in sizes:
            raise BundleError(f"{pinned}: {name} is in its {MANIFEST} and not in the repository; {_DAMAGED}")
        if sizes[name] not in (None, stated.size):
            raise BundleError(f"{pinned}: {name} has {sizes[name]} bytes, its manifest says {stated.size}; {_DAMAGED}")


def _download(pinned: HubName, files: Mapping[str, StoredFile], staging: Path) -> None:
    """Download files and check their hashes; one that is there already is not downloaded again."""
    missing = sum(stated.size for name, stated in files.items() if not (staging / name).is_file())
    free = shutil.disk_usage(staging).free
    if missing > free:
        found = f"{missing / 1e6:.0f} MB in {pinned.home}, {free / 1e6:.0f} MB are free"
        raise OutputError(f"{pinned} takes {found}; {_FULL}")
    for name, stated in files.items():
        _download_file(pinned, name, staging)
        try:
            check_files(staging, {name: stated}, _DAMAGED)
        except BundleError as error:
            (staging / name).unlink(missing_ok=True)
            raise BundleError(str(error).replace(str(staging), str(pinned))) from None


def _download_file(pinned: HubName, name: str, staging: Path) -> None:
    api = hub_api()
    try:
        with hub_errors(shown(f"{pinned}: {name}")):
            api.hf_hub_download(pinned.repository, name, revision=pinned.revision, local_dir=staging)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        shutil.rmtree(staging, ignore_errors=True)
        raise OutputError(f"the disk of {pinned.home} is full; {_FULL}") from None


@contextmanager
def _staging(pinned: HubName) -> Iterator[Path]:
    """The folder for what is on its way, with what an earlier try left there; one process at a time has it."""
    staging = pinned.home / f".{pinned.revision}.download"
    make_private(pinned.home)
    with claimed(staging, wait=True):
        make_private(staging)
        yield staging
        shutil.rmtree(staging, ignore_errors=True)


def _remove_others(folder: Path, names: set[str]) -> None:
    for entry in folder.iterdir():
        if entry.name not in names:
            entry.unlink()
