"""The bundle's graphs, each precision on each engine."""

from functools import partial

from clipdepth.engines import ENGINES, load_engine, verify_engine
from clipdepth.errors import ClipdepthError
from clipdepth_bench.contender import Contender, Entry, Setup, absent


def entries(setup: Setup) -> list[Entry]:
    """One for each engine of the table and each graph of the bundle."""
    pairs = [(name, precision) for name in ENGINES for precision in setup.bundle.manifest.graphs]
    return [Entry(name, precision, partial(_load, setup, name, precision)) for name, precision in pairs]


def _load(setup: Setup, name: str, precision: str) -> Contender:
    bundle = setup.bundle
    try:
        device = setup.device if ENGINES[name].on_gpus else None
        engine = load_engine(bundle, name, precision, setup.threads, device)
        agreement = verify_engine(engine, bundle, precision)
    except ClipdepthError as error:  # also of an engine that loads, and cannot run
        return absent(name, precision, str(error))
    return Contender(
        name,
        precision,
        engine.device,
        engine.infer,
        agreement,
        model_bytes=bundle.graph(precision).stat().st_size,
        close=engine.close,
    )
