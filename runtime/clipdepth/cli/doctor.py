"""`clipdepth doctor`: which engines work here, on what device and how fast, and what the others lack."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from clipdepth import __version__
from clipdepth.bundle.box import BOX, DEFAULT, find_folder
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import InputSize
from clipdepth.cli.arguments import (
    BUNDLE_HELP,
    DEVICE_HELP,
    SIZE_HELP,
    ArgumentParser,
    device_index,
    picture_size,
    positive_int,
)
from clipdepth.cli.json_report import add_json_argument, console_beside, write_report
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.engines import ENGINES, usable_cores
from clipdepth.engines.hardware import describe_hardware
from clipdepth.engines.precisions import titled
from clipdepth.engines.trial import Trial
from clipdepth.engines.trial_cache import library_versions
from clipdepth.engines.trial_process import try_apart
from clipdepth.files.foreign import shown


@dataclass(frozen=True)
class Diagnosis:
    """What one engine did with each graph."""

    engine: str
    installed: str | None
    """The package that brings its library, and its version; None where there is none."""
    trials: list[Trial]


def main(argv: Sequence[str], box: Path = BOX) -> int:
    """Run the command; return 0, whatever the engines lack. `box` has the model that is tried where none is named."""
    options = parser().parse_args(argv)
    refuse_overwriting([find_folder(options.bundle, box)], [options.json])
    opened = open_bundle(options.bundle, box)
    bundle = opened.of_size(options.size)
    named, threads = bundle.as_named(options.bundle), options.threads or usable_cores()
    console = console_beside(options.json)
    hardware = {name: text for name, text in describe_hardware().items() if text}
    console.print(f"clipdepth {__version__}, Python {platform.python_version()}, {threads} threads", highlight=False)
    for name, text in hardware.items():
        console.print(f"{name}: {text}", highlight=False, markup=False, soft_wrap=True)
    model = f"model: {named}{_among(opened.manifest.inputs, bundle.manifest.input)}"
    console.print(shown(model), highlight=False, markup=False, soft_wrap=True)
    diagnoses = _diagnose_all(bundle, threads, options.device, console)
    if options.json:
        write_report(options.json, _as_json(named, bundle.manifest.input, threads, hardware, diagnoses))
    return 0


def _among(sizes: Sequence[InputSize], tried: InputSize) -> str:
    """Which of several sizes is tried, and the others; nothing where there is one."""
    others = ", ".join(str(size) for size in sizes if size != tried)
    return f", tried at {tried}; it has {others} too (--size)" if others else ""


def _diagnose_all(bundle: Bundle, threads: int, device: int | None, console: Console) -> list[Diagnosis]:
    versions = library_versions()
    precisions = bundle.manifest.precisions
    found = []
    with console.status("trying engines") as status:
        for name, entry in ENGINES.items():
            status.update(f"trying {name}")
            installed = [f"{package} {versions[package]}" for package in entry.packages if package in versions]
            trials = list(try_apart(bundle, name, precisions, threads, device if entry.on_gpus else None, read=True))
            found.append(Diagnosis(name, installed[0] if installed else None, trials))
            console.print(_line(found[-1]), soft_wrap=True)
    return found


def _line(diagnosis: Diagnosis) -> Text:
    works = [trial for trial in diagnosis.trials if trial.passed]
    problems = dict.fromkeys(f"{trial.problem}" for trial in diagnosis.trials if not trial.passed)
    times = ", ".join(map(_time, works))
    found = [f"{works[0].device}: {times} a frame"] if works else []
    found += [f"{trial.precision} by {trial.looser_limits}" for trial in works if trial.looser_limits]
    mark = ("works  ", "green") if works else ("-      ", "red")
    name = (f"{diagnosis.engine:<22}", "bold")
    said = shown("; ".join([*found, *problems]))
    return Text.assemble(mark, name, f"{diagnosis.installed or 'not installed'}; ", said)


def _time(trial: Trial) -> str:
    """Such as 'int8 (0% in int8) 30 ms (73 in fp32)'."""
    title = titled(trial.precision, trial.precision, trial.executed)
    ran = f" ({trial.executed})" if trial.executed and trial.executed.layers else ""
    return f"{title} {trial.milliseconds:.3g} ms{ran}"


def _as_json(
    named: str, size: InputSize, threads: int, hardware: dict[str, str], diagnoses: Sequence[Diagnosis]
) -> dict[str, Any]:
    return {
        "clipdepth": __version__,
        "python": platform.python_version(),
        "bundle": named,
        "input": {"height": size.height, "width": size.width},
        "threads": threads,
        "hardware": hardware,
        "engines": [asdict(diagnosis) for diagnosis in diagnoses],
    }


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth doctor",
        "Try every engine: is it installed, does it load, on what device, is its depth right, how long does a frame "
        "take, in what precision does its arithmetic run, and what does it lack?",
        "clipdepth doctor edge-nyu --threads 2",
    )
    add = parser.add_argument
    add("bundle", nargs="?", metavar="BUNDLE", default=DEFAULT, help=f"{BUNDLE_HELP} (default: {DEFAULT})")
    add("--size", type=picture_size, metavar="HxW", help=SIZE_HELP)
    add("--threads", type=positive_int, metavar="N", help="threads of an engine on the CPU (default: all usable cores)")
    add("--device", type=device_index, metavar="N", help=DEVICE_HELP)
    add_json_argument(parser, "what was found")
    return parser
