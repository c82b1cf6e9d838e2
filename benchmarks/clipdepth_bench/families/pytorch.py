"""PyTorch on the CPU: eager, as all others are compared with it, and in the forms that it runs faster."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clipdepth.bundle.agreement import TOLERANCES, Agreement
from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.stored_file import stored_file
from clipdepth.engines import Infer, measure_agreement
from clipdepth.errors import ClipdepthError, EngineError, UsageError
from clipdepth_bench.contender import Contender, Entry, Setup, absent, first_line, gated_as

if TYPE_CHECKING:
    from torch import nn

    from clipdepth_bench.families.torch_call import TorchCall
    from clipdepth_train.depth_model import DepthModel
    from clipdepth_train.imported.framed import Framed

EAGER = "PyTorch eager"
FOLDED = "PyTorch folded channels-last"
COMPILED = "torch.compile"
NAMES = (EAGER, FOLDED, COMPILED)
RANDOM_WEIGHTS = "random weights: time only"
_FOLDED = ("fp32", "bf16")
_COMPILERS = ("c++", "g++", "clang++")


def entries(setup: Setup) -> list[Entry]:
    """PyTorch eager, then in its fast form in fp32 and bf16, then compiled, where that takes part."""
    eager = _entry(setup, EAGER, "fp32", load_eager)
    folded = [_entry(setup, FOLDED, precision, partial(load_folded, precision=precision)) for precision in _FOLDED]
    compiled = [_entry(setup, COMPILED, "fp32", load_compiled)]
    return [eager, *folded, *(compiled if setup.compile else [])]


def _entry(setup: Setup, name: str, precision: str, load: Callable[[Setup], Contender]) -> Entry:
    return Entry(name, precision, partial(guarded, setup, name, precision, load))


def guarded(setup: Setup, name: str, precision: str, load: Callable[[Setup], Contender]) -> Contender:
    """What `load` gives, or a row that says why there is none; only a wrong run is an error."""
    if setup.bundle.manifest.sam is not None:
        return absent(name, precision, "not timed with SAM's masks, which the engines' times include")
    model = setup.bundle.manifest.model
    if not model.recipe and setup.run is None:
        return absent(name, precision, f"not in the bundle; give --run {model.origin or 'MODEL'}")
    try:
        return load(setup)
    except ModuleNotFoundError as error:
        return absent(name, precision, f"no {error.name}: pip install 'clipdepth[train]'")
    except ClipdepthError as error:
        # A recipe of another version, say; it takes nothing from the engines. With a run it was asked for.
        if setup.run is not None:
            raise
        return absent(name, precision, str(error))


def load_eager(setup: Setup) -> Contender:
    """The model as it is deployed, op by op."""
    return _eager(setup, EAGER, "fp32", lambda: deployed_model(setup))


def load_folded(setup: Setup, precision: str) -> Contender:
    """The same with its batch norms folded, in channels-last memory and in `precision`, 'fp32' or 'bf16'."""
    try:
        return _eager(setup, FOLDED, precision, partial(_fast_form, setup, precision))
    except (RuntimeError, TypeError) as error:  # an operator that knows no bf16, say
        return absent(FOLDED, precision, f"it does not run here: {first_line(error)}")


def _fast_form(setup: Setup, precision: str) -> "nn.Module":
    from clipdepth_bench.families.fast_form import fast_form

    return fast_form(deployed_model(setup), setup.bundle.golden().frames[:1], precision)


def _eager(setup: Setup, name: str, precision: str, make: "Callable[[], nn.Module]") -> Contender:
    import torch

    from clipdepth_bench.families.torch_call import TorchCall

    torch.set_num_threads(setup.threads)
    model = make()
    return _row(setup, name, precision, model, TorchCall(model, torch.device("cpu")))


def load_compiled(setup: Setup) -> Contender:
    """The folded model compiled by inductor with its weights frozen, which needs a C++ compiler on the CPU."""
    if not any(shutil.which(name) for name in (os.environ.get("CXX", ""), *_COMPILERS) if name):
        return absent(COMPILED, "fp32", "no C++ compiler here (tried c++, g++, clang++); install g++")
    import torch

    from clipdepth_bench.families.compiling import compiled_call

    torch.set_num_threads(setup.threads)
    model = _fast_form(setup, "fp32")
    try:
        call = compiled_call(model, torch.device("cpu"), setup.bundle.golden().frames[:1])
    except EngineError as error:
        return absent(COMPILED, "fp32", str(error))
    return _row(setup, COMPILED, "fp32", model, call)


def _row(setup: Setup, name: str, precision: str, model: "nn.Module", call: "TorchCall") -> Contender:
    from clipdepth_bench.families.torch_call import weight_bytes

    return Contender(name, precision, "CPU", call, *gate(setup, call, precision), model_bytes=weight_bytes(model))


def deployed_model(setup: Setup) -> "DepthModel | Framed":
    """The bundle's model in PyTorch, with the weights of the run or model it came from, or random ones.

    Raises UsageError for one that is not the bundle's, and what the loaders raise.
    """
    if setup.run is not None and not setup.bundle.manifest.model.recipe:
        return _imported(setup.bundle, setup.run)
    from clipdepth_train.checkpoint import CHECKPOINT, load_run
    from clipdepth_train.depth_model import build_model
    from clipdepth_train.recipe_record import decode_recipe

    bundle, run = setup.bundle, setup.run
    if run is None:
        recipe = decode_recipe(bundle.manifest.model.recipe, str(bundle.path))
        return build_model(recipe, pretrained=False).deployable()
    model, _ = load_run(Path(run))
    _require_same(bundle, run, stored_file(Path(run) / CHECKPOINT).sha256)
    return model.deployable()


def _imported(bundle: Bundle, named: str) -> "Framed":
    from clipdepth_train.imported.named import imported_module, weights_sha256

    module = imported_module(named, bundle.manifest)
    _require_same(bundle, named, weights_sha256(module))
    return module


def _require_same(bundle: Bundle, named: str, sha256: str) -> None:
    if sha256 != bundle.manifest.model.checkpoint_sha256:
        raise UsageError(f"{bundle.path} was not exported from {named}; give what it came from, or no --run")


def gate(setup: Setup, infer: Infer, precision: str) -> tuple[Agreement | None, str]:
    """Its agreement with the golden depth, and a note; random weights agree with nothing."""
    if setup.run is None:
        return None, RANDOM_WEIGHTS
    # PyTorch is timed without confidence, the few operations that a bundle's graph has besides.
    golden, kind = replace(setup.bundle.golden(), confidence=None), setup.bundle.manifest.kind
    return measure_agreement(infer, golden, TOLERANCES[gated_as(precision)], kind), ""
