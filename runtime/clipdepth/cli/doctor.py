"""`clipdepth doctor`: which engines work here, on what device and how fast, and what the others lack."""

import argparse
import platform
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.text import Text

from clipdepth import __version__
from clipdepth.bundle.box import BOX, DEFAULT, find_folder, model_names
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.cli.arguments import BUNDLE_HELP, DEVICE_HELP, ArgumentParser, device_index, positive_int
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.cli.probe import write_probe
from clipdepth.engines import ENGINES, usable_cores
from clipdepth.engines.hardware import describe_hardware
from clipdepth.engines.trial import Trial
from clipdepth.engines.trial_cache import library_versions
from clipdepth.engines.trial_process import try_apart
from clipdepth.errors import ClipdepthError
from clipdepth.files.atomic import write_json
from clipdepth.files.foreign import shown


@dataclass(frozen=True)
class Diagnosis:
    """What one engine did with each graph."""

    engine: str
    installed: str | None
    """The package that brings its library, and its version; None where there is none."""
    trials: list[Trial]


def main(argv: Sequence[str], box: Path = BOX) -> int:
    """Run the command; return 0, whatever the engines lack. Where no bundle is named, one in `box` is tried."""
    options = _parser().parse_args(argv)
    named = options.bundle or (DEFAULT if DEFAULT in model_names(box) else None)
    if named:
        refuse_overwriting([find_folder(named, box)], [options.json])
    threads = options.threads or usable_cores()
    console = Console()
    hardware = {name: text for name, text in describe_hardware().items() if text}
    console.print(f"clipdepth {__version__}, Python {platform.python_version()}, {threads} threads", highlight=False)
    for name, text in hardware.items():
        console.print(f"{name}: {text}", highlight=False, markup=False, soft_wrap=True)
    model = f"model: {named or 'a tiny graph made for this'}"
    console.print(shown(model), highlight=False, markup=False, soft_wrap=True)
    diagnoses = _diagnose_all(named, box, threads, options.device, console)
    if options.json:
        write_json(options.json, _as_json(named, threads, hardware, diagnoses))
    return 0


def _diagnose_all(named: str | None, box: Path, threads: int, device: int | None, console: Console) -> list[Diagnosis]:
    with TemporaryDirectory() if named is None else nullcontext("") as folder:
        bundle = open_bundle(named, box) if named else write_probe(Path(folder))
        versions = library_versions()
        found = []
        with console.status("trying engines") as status:
            for name, entry in ENGINES.items():
                status.update(f"trying {name}")
                installed = [f"{package} {versions[package]}" for package in entry.packages if package in versions]
                trials = _diagnose(bundle, name, threads, device if entry.on_gpus else None, named is not None)
                found.append(Diagnosis(name, installed[0] if installed else None, trials))
                console.print(_line(found[-1]), soft_wrap=True)
        return found


def _diagnose(bundle: Bundle, name: str, threads: int, device: int | None, built_before: bool) -> list[Trial]:
    if name == "tensorrt" and not built_before:
        try:
            _build_tensorrt(bundle, device)
        except ClipdepthError as error:
            return [Trial(name, "fp32", problem=str(error))]
    return list(try_apart(bundle, name, list(bundle.manifest.graphs), threads, device))


def _build_tensorrt(bundle: Bundle, device: int | None) -> None:
    from clipdepth.engines.tensorrt.deploy import Deployment, deploy
    from clipdepth.engines.tensorrt.engine import TensorRt
    from clipdepth.engines.tensorrt.gpu import find_gpu
    from clipdepth.engines.tensorrt.library import import_tensorrt
    from clipdepth.engines.tensorrt.record import engine_key
    from clipdepth.engines.tensorrt.store import EngineStore

    version, gpu = import_tensorrt().__version__, find_gpu(device)
    key = engine_key(bundle, "fp32", gpu, version)
    if EngineStore(bundle).find(key) is None:
        deploy(Deployment(bundle, key, lambda engine: TensorRt(engine, gpu), gpu=gpu))


def _line(diagnosis: Diagnosis) -> Text:
    works = [trial for trial in diagnosis.trials if trial]
    problems = dict.fromkeys(f"{trial.problem}" for trial in diagnosis.trials if not trial)
    times = ", ".join(f"{trial.precision} {trial.milliseconds:.3g} ms" for trial in works)
    found = [f"{works[0].device}: {times} a frame"] if works else []
    found += [f"{trial.precision} by {trial.looser_limits}" for trial in works if trial.looser_limits]
    mark = ("works  ", "green") if works else ("-      ", "red")
    name = (f"{diagnosis.engine:<22}", "bold")
    said = shown("; ".join([*found, *problems]))
    return Text.assemble(mark, name, f"{diagnosis.installed or 'not installed'}; ", said)


def _as_json(
    named: str | None, threads: int, hardware: dict[str, str], diagnoses: Sequence[Diagnosis]
) -> dict[str, Any]:
    return {
        "clipdepth": __version__,
        "python": platform.python_version(),
        "bundle": named,
        "threads": threads,
        "hardware": hardware,
        "engines": [asdict(diagnosis) for diagnosis in diagnoses],
    }


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(
        "clipdepth doctor",
        "Try every engine: is it installed, does it load, on what device, is its depth right, how long does a frame "
        "take, and what does it lack?",
    )
    add = parser.add_argument
    add("bundle", nargs="?", metavar="BUNDLE", help=f"{BUNDLE_HELP} (default: {DEFAULT}, or a tiny graph without it)")
    add("--threads", type=positive_int, metavar="N", help="threads of an engine on the CPU (default: all usable cores)")
    add("--device", type=device_index, metavar="N", help=DEVICE_HELP)
    add("--json", type=Path, metavar="FILE", help="write what was found there too")
    return parser
