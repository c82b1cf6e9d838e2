"""The bundle's graphs, each precision on each engine."""

from functools import partial

from clipdepth.engines import ENGINES
from clipdepth.errors import ClipdepthError
from clipdepth.model import load
from clipdepth_bench.contender import Contender, Entry, Setup, absent


def entries(setup: Setup) -> list[Entry]:
    """One for each engine of the table and each graph of the bundle."""
    pairs = [(name, precision) for name in ENGINES for precision in setup.bundle.manifest.graphs]
    return [Entry(name, precision, partial(_load, setup, name, precision)) for name, precision in pairs]


def _load(setup: Setup, name: str, precision: str) -> Contender:
    device = setup.device if ENGINES[name].on_gpus else None
    try:
        model = load(setup.bundle, engine=name, precision=precision, threads=setup.threads, device=device)
        agreement = model.verify()
    except ClipdepthError as error:  # also of an engine that loads, and cannot run
        return absent(name, precision, str(error))
    return Contender(
        name,
        precision,
        model.engine.device,
        model.engine.infer,
        agreement,
        model_bytes=setup.bundle.graph(precision).stat().st_size,
        close=model.close,
    )
