"""A bundle on its way to the workers of a cluster, and how a worker opens the bundle that is meant."""

import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from clipdepth.bundle.box import BOX
from clipdepth.bundle.cache import cache_folder, make_private
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.hub_name import is_hub_name, parse_hub_name
from clipdepth.bundle.manifest import MANIFEST, decode_manifest
from clipdepth.bundle.stored_file import stored_file
from clipdepth.errors import BundleError
from clipdepth.files.claim import claimed


@dataclass(frozen=True)
class SentBundle:
    """The files of a bundle in Ray's object store; a worker fetches them only where its node lacks the bundle."""

    reference: Any

    def files(self) -> dict[str, bytes]:
        """What each holds."""
        import ray

        files: dict[str, bytes] = ray.get(self.reference)
        return files


def bundle_sha256(bundle: Bundle) -> str:
    """The hash of the manifest, which has those of all files."""
    return stored_file(bundle.path / MANIFEST).sha256


def send(bundle: Bundle) -> SentBundle:
    """Put what a device reads of the bundle into the object store of Ray, which has been joined."""
    import ray

    return SentBundle(ray.put({name: (bundle.path / name).read_bytes() for name in [MANIFEST, *_needed(bundle)]}))


def open_meant(place: str, meant: str, sent: SentBundle | None) -> Bundle:
    """Open the bundle whose manifest has the sha256 `meant`: at its `place` on this node, see `portable`, or as sent.

    What was sent is kept in the user's cache and checked as every bundle is. Raises BundleError where the place has
    no such bundle and none was sent, or another one was, and as `open_bundle`.
    """
    folder = parse_hub_name(place).folder if is_hub_name(place) else BOX / place
    if (folder / MANIFEST).is_file() and stored_file(folder / MANIFEST).sha256 == meant:
        return open_bundle(folder)
    if sent is None:
        raise BundleError(f"{folder} is not the bundle that it was at the start; leave it as it is during a run")
    kept = cache_folder() / "sent" / meant
    make_private(kept.parent)
    with claimed(kept, wait=True):
        if not kept.is_dir():
            _keep(sent.files(), meant, kept)
    return open_bundle(kept)


def _needed(bundle: Bundle) -> list[str]:
    return [name for name in bundle.manifest.files if name != bundle.manifest.weights]


def _keep(files: dict[str, bytes], meant: str, folder: Path) -> None:
    """Write the files that the manifest states, and no other; a bundle that is refused does not get its name."""
    if sha256(files[MANIFEST]).hexdigest() != meant:
        raise BundleError(f"another bundle was sent than {meant[:16]}; start the command again")
    manifest = decode_manifest(files[MANIFEST], f"{MANIFEST} as it was sent", any_tolerance=False)
    draft = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name in {MANIFEST, *manifest.files} & files.keys():
        (draft / name).write_bytes(files[name])
    open_bundle(draft)
    draft.replace(folder)
