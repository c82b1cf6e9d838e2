"""The modules of benchmarks/experiments, whose scripts import one another by their bare names."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

EXPERIMENTS = Path(__file__).parents[2] / "benchmarks" / "experiments"


@contextmanager
def script_modules(folder: str, names: tuple[str, ...]) -> Iterator[dict[str, ModuleType]]:
    """The modules of that folder, by name, and none of them left behind."""
    place = str(EXPERIMENTS / folder)
    sys.path.insert(0, place)
    yield {name: import_module(name) for name in names}
    sys.path.remove(place)
    for name in names:
        del sys.modules[name]
