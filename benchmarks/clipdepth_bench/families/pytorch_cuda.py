"""PyTorch on an NVIDIA GPU: eager in fp32 and TF32, and in its fast form in fp16, eager and compiled."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from clipdepth.engines.nvidia import require_device
from clipdepth.errors import EngineError
from clipdepth_bench.contender import Contender, Entry, Setup, absent, first_line
from clipdepth_bench.families.pytorch import deployed_model, gate, guarded

if TYPE_CHECKING:
    import torch


EAGER = "PyTorch eager CUDA"
FOLDED = "PyTorch folded channels-last CUDA"
COMPILED = "torch.compile CUDA"
NAMES = (EAGER, FOLDED, COMPILED)
EVENTS = "CUDA events"
GRAPHS = "reduce-overhead"
"""The mode of `torch.compile` that replays CUDA graphs; 'max-autotune' does too, and compiles for many minutes."""


def entries(setup: Setup) -> list[Entry]:
    """Eager in fp32 and in TF32, PyTorch's default; folded in fp16, eager and compiled with CUDA graphs."""
    rows = [(EAGER, "fp32"), (EAGER, "tf32"), (FOLDED, "fp16"), *([(COMPILED, "fp16")] if setup.compile else [])]
    return [Entry(name, precision, partial(_load, setup, name, precision)) for name, precision in rows]


def _load(setup: Setup, name: str, precision: str) -> Contender:
    return guarded(setup, name, precision, partial(_load_here, name=name, precision=precision))


def _load_here(setup: Setup, name: str, precision: str) -> Contender:
    import torch

    if not torch.cuda.is_available():
        return absent(name, precision, f"PyTorch {torch.__version__} finds no CUDA GPU here")
    torch.backends.cuda.matmul.allow_tf32 = False  # PyTorch's default, which an environment may change
    torch.backends.cudnn.benchmark = True
    try:
        device = require_device(setup.device, torch.cuda.device_count(), "CUDA GPU of PyTorch")
        torch.cuda.set_device(device)  # what names none, the roofline say, is measured there too
        return load_on(torch.device("cuda", device), setup, name, precision)
    except EngineError as error:
        return absent(name, precision, str(error))
    except (RuntimeError, TypeError) as error:  # too little memory, or an operator that knows no half
        return absent(name, precision, f"it does not run on this GPU: {first_line(error)}")


def load_on(device: "torch.device", setup: Setup, name: str, precision: str) -> Contender:
    """The contender on `device`; raises what PyTorch raises."""
    from clipdepth_bench.families.fast_form import fast_form
    from clipdepth_bench.families.torch_call import TorchCall, weight_bytes

    deployed, frame = deployed_model(setup), setup.bundle.golden().frames[:1]
    model = (deployed if name == EAGER else fast_form(deployed, frame, precision)).to(device)
    make: Callable[[], TorchCall] = partial(TorchCall, model, device, tf32=precision == "tf32")
    if name == COMPILED:
        from clipdepth_bench.families.compiling import compiled_call

        make = partial(compiled_call, model, device, frame, GRAPHS)
    call = make()
    agreement, note = gate(setup, call, precision)
    return Contender(
        name,
        precision,
        _device_name(device),
        call,
        agreement,
        note,
        call.measure,
        EVENTS,
        weight_bytes(model),
    )


def _device_name(device: "torch.device") -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
