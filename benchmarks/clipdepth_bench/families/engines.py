"""The bundle's graphs, each precision on each engine."""

from contextlib import ExitStack
from functools import partial

from clipdepth.engines import ENGINES
from clipdepth.errors import ClipdepthError
from clipdepth.model import load
from clipdepth_bench.contender import Contender, Entry, Setup, absent


def entries(setup: Setup) -> list[Entry]:
    """One for each engine of the table and each graph of the bundle."""
    pairs = [(name, precision) for name in ENGINES for precision in setup.bundle.manifest.precisions]
    return [Entry(name, precision, partial(_load, setup, name, precision)) for name, precision in pairs]


def _load(setup: Setup, name: str, precision: str) -> Contender:
    device = setup.device if ENGINES[name].on_gpus else None
    try:
        with ExitStack() as stack:  # one that loads and cannot run leaves its memory to the next
            model = stack.enter_context(
                load(setup.bundle, engine=name, precision=precision, threads=setup.threads, device=device)
            )
            agreement = model.verify()
            stack.pop_all()
    except ClipdepthError as error:
        return absent(name, precision, str(error))
    return Contender(
        name,
        precision,
        model.engine.device,
        model.engine.infer,
        agreement,
        model_bytes=setup.bundle.graph_bytes(precision, ENGINES[name].placement),
        close=model.close,
        executed=model.executed,
    )
