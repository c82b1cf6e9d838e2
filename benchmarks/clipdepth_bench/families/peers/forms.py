"""The forms of a peer that are timed: PyTorch eager, and the fastest of what it can be exported to."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import cycle
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.resize import resize_frame
from clipdepth.engines.choice import Choice
from clipdepth.model import load
from clipdepth_bench.contender import Contender, Setup, absent, first_line
from clipdepth_bench.families.peers.peer import Peer
from clipdepth_bench.families.pytorch import RANDOM_WEIGHTS

EAGER, EXPORTED = "eager fp32", "exported"
_CUDA_EVENTS, _CLOCK = "CUDA events", "clock"

Answer = TypeVar("Answer", covariant=True)
Load = Callable[[Setup, Peer], Contender]


class OwnFrames(Generic[Answer]):
    """Gives `call` golden frames at `size`, one by one in turn, for whatever frames it is called with."""

    def __init__(self, call: Callable[[NDArray[np.uint8]], Answer], golden: NDArray[np.uint8], size: InputSize) -> None:
        self._call = call
        frames: Sequence[NDArray[np.uint8]] = [resize_frame(frame, size.height, size.width)[None] for frame in golden]
        self._frames: Iterator[NDArray[np.uint8]] = cycle(frames)

    def __call__(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """The answer to the next frame: for depth, (1, h, w) float32 at the peer's size."""
        return self._call(next(self._frames))


def _or_absent(form: str) -> Callable[[Load], Load]:
    """Make `load` answer with a row that tells why where the peer is not there or fails: it takes nothing from ours."""

    def decorate(load: Load) -> Load:
        @wraps(load)
        def guarded(setup: Setup, peer: Peer) -> Contender:
            try:
                peer.require_packages()
                return load(setup, peer)
            except ModuleNotFoundError as error:
                remedy = (
                    "--group peers, in clipdepth's checkout" if error.name in peer.packages else "'clipdepth[export]'"
                )
                return absent(peer.name, form, f"no {error.name}: pip install {remedy}")
            except Exception as error:  # another project's, at whatever version is installed
                return absent(peer.name, form, f"it does not run here: {first_line(error)}")

        return guarded

    return decorate


@_or_absent(EAGER)
def load_eager(setup: Setup, peer: Peer) -> Contender:
    """The network op by op, on the GPU where PyTorch has one."""
    import torch

    from clipdepth_bench.families.torch_call import TorchCall, weight_bytes

    torch.set_num_threads(setup.threads)
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    module = peer.build(peer.size).to(device)
    call, golden = TorchCall(module, device), setup.bundle.golden().frames
    return Contender(
        peer.name,
        EAGER,
        torch.cuda.get_device_name() if gpu else "CPU",
        OwnFrames(call, golden, peer.size),
        None,
        RANDOM_WEIGHTS,
        OwnFrames(call.measure, golden, peer.size) if gpu else None,
        _CUDA_EVENTS if gpu else _CLOCK,
        weight_bytes(module),
    )


@_or_absent(EXPORTED)
def load_exported(setup: Setup, peer: Peer) -> Contender:
    """The fastest of all engines and precisions, found once and remembered as `--engine auto` does."""
    from clipdepth_bench.families.peers.exported import peer_bundle

    model = load(peer_bundle(peer), threads=setup.threads)
    assert model.choice
    return Contender(
        peer.name,
        EXPORTED,
        model.engine.device,
        OwnFrames(model.engine.infer, setup.bundle.golden().frames, peer.size),
        None,
        _note(model.choice),
        model_bytes=model.bundle.graph(model.precision).stat().st_size,
        close=model.close,
        executed=model.executed,
    )


def _note(choice: Choice) -> str:
    # Without their times, which are of another hour: those of one run can be compared, and only those.
    works = sorted((trial.milliseconds, f"{trial.engine} {trial.precision}") for trial in choice.trials if trial.passed)
    others = ", ".join(form for _, form in works[1:])
    return f"{RANDOM_WEIGHTS}; {works[0][1]}" + (f", here faster than {others}" if others else "")
