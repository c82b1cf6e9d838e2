"""The rows of a peer: PyTorch eager, and the fastest of all its forms that hold its accuracy."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import cycle
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.manifest import InputSize
from clipdepth.engines.operations import count_precisions
from clipdepth_bench.contender import Contender, Setup, absent, first_line
from clipdepth_bench.families.peers.material import Material, frames_at
from clipdepth_bench.families.peers.peer import GROUP, Peer
from clipdepth_bench.families.pytorch import RANDOM_WEIGHTS

if TYPE_CHECKING:
    from clipdepth_bench.families.peers.best import FormTrial
    from clipdepth_bench.families.peers.form import Form

EAGER, BEST = "eager fp32", "best form"

_CUDA_EVENTS, _CLOCK = "CUDA events", "clock"

Answer = TypeVar("Answer", covariant=True)
Load = Callable[..., Contender]


class OwnFrames(Generic[Answer]):
    """Gives `call` golden frames at `size`, one by one in turn, for whatever frames it is called with."""

    def __init__(self, call: Callable[[NDArray[np.uint8]], Answer], golden: NDArray[np.uint8], size: InputSize) -> None:
        self._call = call
        self._frames: Iterator[NDArray[np.uint8]] = cycle([frame[None] for frame in frames_at(size, golden)])

    def __call__(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """The answer to the next frame: for depth, (1, h, w) float32 at the peer's size."""
        return self._call(next(self._frames))


def _or_absent(form: str) -> Callable[[Load], Load]:
    """Make `load` answer with a row that tells why where the peer is not there or fails: it takes nothing from ours."""

    def decorate(load: Load) -> Load:
        @wraps(load)
        def guarded(setup: Setup, peer: Peer, *given: object) -> Contender:
            try:
                peer.require_packages()
                return load(setup, peer, *given)
            except ModuleNotFoundError as error:
                remedy = GROUP if error.name in peer.packages else "'clipdepth[export]'"
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
        peer=True,
    )


@_or_absent(BEST)
def load_best(setup: Setup, peer: Peer, forms: "Sequence[Form] | None" = None) -> Contender:
    """The fastest form that answers as the peer's own fp32 does, found once and remembered; all of them by default."""
    from clipdepth_bench.families.peers.best import fastest, try_forms
    from clipdepth_bench.families.peers.form import list_forms

    forms = list_forms() if forms is None else forms
    golden = setup.bundle.golden().frames
    material = Material(peer, frames_at(peer.size, golden))
    trials = try_forms(material, forms, setup.threads, lambda form: setup.tell(f"{peer.name}: {form}"))
    works = fastest(trials)
    if not works:
        problems = "; ".join(f"{trial.form}: {trial.problem}" for trial in trials)
        return absent(peer.name, BEST, f"no form of it works here: {problems}")
    opened = next(form for form in forms if form.name == works[0].form).open(material, setup.threads)
    return Contender(
        peer.name,
        BEST,
        opened.engine.device,
        OwnFrames(opened.engine.infer, golden, peer.size),
        None,
        RANDOM_WEIGHTS,
        model_bytes=opened.model_bytes,
        close=opened.engine.close,
        executed=lambda: count_precisions(opened.engine.operations(), ()),
        peer=True,
        chosen=_chosen(works, trials),
    )


def _chosen(works: "Sequence[FormTrial]", trials: "Sequence[FormTrial]") -> str:
    # Without their times, which are of another hour: those of one run can be compared, and only those.
    best, others = works[0], ", ".join(trial.form for trial in works[1:])
    parts = [f"{best.form}, {100 * (best.difference or 0):.2g}% from its fp32"]
    if others:
        parts[-1] += f", here faster than {others}"
    refused = [f"{trial.form} ({trial.problem})" for trial in trials if trial.problem]
    if refused:
        parts.append(f"not {', '.join(refused)}")
    if any(trial.problem == "no nncf" for trial in trials):
        parts.append(f"pip install {GROUP} brings nncf")
    return "; ".join(parts)
