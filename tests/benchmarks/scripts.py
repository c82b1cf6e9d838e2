"""The modules of benchmarks/experiments, whose scripts import one another by their bare names."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "benchmarks" / "experiments"


@contextmanager
def script_modules(folder: str, names: tuple[str, ...]) -> Iterator[dict[str, ModuleType]]:
    """The modules of that folder, by name, and none of them left behind."""
    places = list(sys.path)
    sys.path.insert(0, str(EXPERIMENTS / folder))
    try:
        yield {name: import_module(name) for name in names}
    finally:
        sys.path[:] = places
        for name in [name for name, module in sys.modules.items() if _is_script(module)]:
            del sys.modules[name]


def run_script(monkeypatch: pytest.MonkeyPatch, path: str, *arguments: object) -> None:
    """Run that script of benchmarks/experiments in this process, its standard streams as they are."""
    script, words = EXPERIMENTS / path, [str(argument) for argument in arguments]
    monkeypatch.setattr(sys, "argv", [str(script), *words])
    folder = script.parent.relative_to(EXPERIMENTS)
    with script_modules(str(folder), (script.stem,)) as modules:
        main = modules[script.stem].main
        status = main(words) if inspect.signature(main).parameters else main()
    assert not status, f"{path} ends with {status}"


def _is_script(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and EXPERIMENTS in Path(file).parents
