"""What a benchmark times: a bundle's engines, and the PyTorch model they came from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.agreement import TOLERANCES, Agreement
from clipdepth.bundle import Bundle, stored_file
from clipdepth.engines import ENGINES, Infer, load_engine, measure_agreement, verify_engine
from clipdepth.errors import ClipdepthError, UsageError

EAGER = "PyTorch eager"
RANDOM_WEIGHTS = "random weights: latency only"


@dataclass(frozen=True)
class Contender:
    """A row of the benchmark: `infer` takes frames as an engine does, or is None where it could not be loaded."""

    name: str
    precision: str
    device: str
    infer: Infer | None
    agreement: Agreement | None
    """None where there is nothing to compare: not loaded, or weights that are not the bundle's."""
    note: str = ""
    """Why it is not there, or what a reader has to know."""

    @property
    def key(self) -> str:
        """What tells it from the others."""
        return f"{self.name} {self.precision}"

    @property
    def failed(self) -> bool:
        """Whether its depth differs from PyTorch's."""
        return self.agreement is not None and not self.agreement


def contenders(bundle: Bundle, run: Path | None, threads: int) -> list[Contender]:
    """PyTorch eager first, then each engine with each graph of the bundle."""
    engines = [row for name in ENGINES for row in _engine_rows(bundle, name, threads)]
    return [_eager(bundle, run, threads), *engines]


def _engine_rows(bundle: Bundle, name: str, threads: int) -> list[Contender]:
    """A row for each graph, or one for all where the engine is missing altogether."""
    rows = [_engine(bundle, name, precision, threads) for precision in bundle.manifest.graphs]
    missing = all(row.infer is None for row in rows) and len({row.note for row in rows}) == 1
    return [replace(rows[0], precision="")] if missing and len(rows) > 1 else rows


def _engine(bundle: Bundle, name: str, precision: str, threads: int) -> Contender:
    try:
        engine = load_engine(bundle, name, precision, threads)
    except ClipdepthError as error:
        return Contender(name, precision, "", None, None, str(error))
    return Contender(name, precision, engine.device, engine.infer, verify_engine(engine, bundle, precision))


def _eager(bundle: Bundle, run: Path | None, threads: int) -> Contender:
    if bundle.manifest.sam is not None:
        return Contender(EAGER, "fp32", "", None, None, "not timed with SAM's masks, which the engines' times include")
    try:
        infer = _torch_infer(bundle, run, threads)
    except ModuleNotFoundError as error:
        return Contender(EAGER, "fp32", "", None, None, f"no {error.name}: pip install 'clipdepth[train]'")
    except ClipdepthError as error:
        # A recipe of another version, say; it takes nothing from the engines. With a run it was asked for.
        if run is not None:
            raise
        return Contender(EAGER, "fp32", "", None, None, str(error))
    if run is None:
        return Contender(EAGER, "fp32", "CPU", infer, None, RANDOM_WEIGHTS)
    return Contender(EAGER, "fp32", "CPU", infer, measure_agreement(infer, bundle.golden(), TOLERANCES["fp32"]))


def _torch_infer(bundle: Bundle, run: Path | None, threads: int) -> Infer:
    import torch

    from clipdepth_train.checkpoint import CHECKPOINT, load_run
    from clipdepth_train.depth_model import build_model
    from clipdepth_train.recipe import decode_recipe

    torch.set_num_threads(threads)
    if run is None:
        model = build_model(decode_recipe(bundle.manifest.model.recipe, str(bundle.path)), pretrained=False)
    else:
        model, _ = load_run(run)
        if stored_file(run / CHECKPOINT).sha256 != bundle.manifest.model.checkpoint_sha256:
            raise UsageError(f"{bundle.path} was not exported from {run}; give the run it came from, or no --run")
    deployed = model.deployable()

    @torch.inference_mode()
    def infer(frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        masks = None if segmentation is None else torch.from_numpy(segmentation)
        depth: NDArray[np.float32] = deployed(torch.from_numpy(frames), masks).numpy()
        return depth

    return infer


def present(rows: Sequence[Contender]) -> list[tuple[Contender, Infer]]:
    """Those that can be timed."""
    return [(row, row.infer) for row in rows if row.infer is not None]
