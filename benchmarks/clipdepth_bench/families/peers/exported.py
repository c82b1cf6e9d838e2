"""A peer's exported form, kept in the user's cache since making it takes a minute."""

import json
from hashlib import sha256
from pathlib import Path

from clipdepth import __version__
from clipdepth.bundle.cache import cache_folder, make_private
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import Licence, Precision
from clipdepth.errors import BundleError
from clipdepth_bench.families.peers.peer import Peer

PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")


def peer_bundle(peer: Peer) -> Bundle:
    """The bundle of the peer; made where the cache has none of these versions, or a damaged one."""
    path = _path(peer)
    try:
        return open_bundle(path, any_tolerance=True)
    except BundleError:
        from clipdepth_bench.families.peers.random_bundle import write_random_bundle

        make_private(path.parent)
        licences = [Licence(peer.title, peer.licence)]
        write_random_bundle(path, peer.build(peer.size), peer.size, PRECISIONS, licences)
        return open_bundle(path, any_tolerance=True)


def _path(peer: Peer) -> Path:
    made_of = {"name": peer.name, "clipdepth": __version__, **peer.versions()}
    key = sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / "peers" / f"{key}.bundle"
