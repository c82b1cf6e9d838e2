"""Peers: what people would use instead, timed in the same run. One module each; their weights are random.

Latency does not depend on weights, so nothing is downloaded; of accuracy these rows say nothing. Each peer is run in
every form that its makers, NNCF and ONNX Runtime offer, quantised on the bundle's golden frames, and the fastest counts
whose answer is that of its own fp32. A peer is timed on frames of its own input size, resized from the golden ones
before the timing, whatever size `infer` is given.
"""

from functools import partial

from clipdepth.bundle.manifest import InputSize
from clipdepth_bench.contender import Entry, Setup
from clipdepth_bench.families.peers import depth_anything, msa, yolo, zipdepth
from clipdepth_bench.families.peers.forms import BEST, EAGER, load_best, load_eager
from clipdepth_bench.families.peers.peer import Peer

__all__ = ["Peer", "entries", "list_peers"]


def list_peers(size: InputSize) -> list[Peer]:
    """The peers at their own sizes, and at what comes nearest to a bundle's `size`."""
    peers = [
        msa.peer(),
        depth_anything.peer(depth_anything.OWN),
        depth_anything.peer(size),
        yolo.peer(size),
        zipdepth.peer(size),
    ]
    return list({peer.name: peer for peer in peers}.values())


def entries(setup: Setup) -> list[Entry]:
    """Each peer in PyTorch eager, and in the fastest of its forms."""
    forms = {EAGER: load_eager, BEST: load_best}
    peers = list_peers(setup.bundle.manifest.input)
    return [Entry(peer.name, form, partial(load, setup, peer)) for peer in peers for form, load in forms.items()]
