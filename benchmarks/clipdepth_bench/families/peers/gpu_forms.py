"""Peers on an NVIDIA GPU as ours run there: engines of fp16 and int8 graphs, and PyTorch in half with CUDA graphs."""

from collections.abc import Sequence
from functools import partial

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.manifest import Precision
from clipdepth.engines import ENGINES, load_engine
from clipdepth.engines.hardware import describe_hardware
from clipdepth_bench.contender import ContenderEngine
from clipdepth_bench.families.peers.form import Form, Opened
from clipdepth_bench.families.peers.material import Material

_PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
_TENSORRT = "tensorrt"


def list_forms() -> Sequence[Form]:
    """None where there is no NVIDIA driver."""
    if not describe_hardware()["nvidia driver"]:
        return []
    names = [name for name, entry in ENGINES.items() if entry.hardware == "NVIDIA"]
    pairs = [(name, precision) for name in names for precision in _PRECISIONS[1:]]
    engines = [Form(f"{name} {precision}", partial(_open, name=name, precision=precision)) for name, precision in pairs]
    return [*engines, Form("torch.compile CUDA fp16", _open_compiled)]


def _open(material: Material, threads: int, name: str, precision: str) -> Opened:
    bundle = material.bundle(_PRECISIONS)
    if name == _TENSORRT:
        _build(bundle, precision)
    return Opened(load_engine(bundle, name, precision, threads), bundle.graph_bytes(precision, ENGINES[name].placement))


def _build(bundle: Bundle, precision: str) -> None:
    """As `clipdepth build` does, unless it was built before."""
    from clipdepth.engines.tensorrt.deploy import Deployment, deploy
    from clipdepth.engines.tensorrt.engine import TensorRt
    from clipdepth.engines.tensorrt.gpu import find_gpu
    from clipdepth.engines.tensorrt.library import import_tensorrt
    from clipdepth.engines.tensorrt.record import engine_key
    from clipdepth.engines.tensorrt.store import EngineStore

    version, gpu = import_tensorrt().__version__, find_gpu()
    key = engine_key(bundle, precision, gpu, version)
    if EngineStore(bundle).find(key) is None:
        deploy(Deployment(bundle, key, lambda engine: TensorRt(engine, gpu), gpu=gpu))


def _open_compiled(material: Material, threads: int) -> Opened:
    import torch

    from clipdepth_bench.families.compiling import compiled_call
    from clipdepth_bench.families.fast_form import fast_form
    from clipdepth_bench.families.pytorch_cuda import GRAPHS
    from clipdepth_bench.families.torch_call import weight_bytes

    device = torch.device("cuda", torch.cuda.current_device())
    built = material.peer.build(material.peer.size)
    module = fast_form(built, material.frames[:1], "fp16").to(device)  # type: ignore[arg-type]
    call = compiled_call(module, device, material.frames[:1], GRAPHS)
    engine = ContenderEngine("torch.compile", torch.cuda.get_device_name(device), call)
    return Opened(engine, weight_bytes(module))
