"""`clipdepth models`: models that ship with clipdepth, or any bundles: what they cost and what they are worth."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from clipdepth.bundle.box import BOX, find_folder, model_names
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.kind import MEANINGS, METRIC, REMEDY
from clipdepth.bundle.manifest import Accuracy, InputSize, Licence, Manifest, StatedConfidence, TrainingCamera
from clipdepth.cli.arguments import BUNDLE_HELP, ArgumentParser
from clipdepth.cli.json_report import add_json_argument, console_beside, write_report
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.files.foreign import shown

_ALIGNED = {"median": "median", "lsq": "least-squares"}
_CROPS = {"all": "all pixels", "eigen": "Eigen's crop", "paper": "the paper's crop"}


def main(argv: Sequence[str], box: Path = BOX) -> int:
    """Run the command on bundles, or on all models in `box`; return 0."""
    options = parser().parse_args(argv)
    names = options.bundle or model_names(box)
    refuse_overwriting([find_folder(name, box) for name in names], [options.json])
    bundles = {name: open_bundle(name, box) for name in names}
    console = console_beside(options.json, highlight=False, markup=False)
    if bundles:
        _print({name: bundle.manifest for name, bundle in bundles.items()}, console)
    else:
        console.print("no model ships with this clipdepth; 'clipdepth export' makes a bundle of a run", soft_wrap=True)
    if options.json:
        write_report(options.json, {"models": [_as_json(bundle) for bundle in bundles.values()]})
    return 0


def _print(manifests: Mapping[str, Manifest], console: Console) -> None:
    console.print(_table(manifests))
    for name, manifest in manifests.items():
        console.print(f"\n{shown(name)}", style="bold")
        console.print(_details(manifest))


def _table(manifests: Mapping[str, Manifest]) -> Table:
    table = Table("model", box=None, pad_edge=False, header_style="bold")
    for heading in ("input", "weights", "GFLOP", "MB", "rel ↓", "δ1 ↑", "aligned"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("precisions")
    for name, manifest in manifests.items():
        model, others = manifest.model, len(manifest.other_sizes)
        table.add_row(
            shown(name),
            f"{manifest.input}{f' +{others}' if others else ''}",
            f"{model.parameters / 1e6:.1f} M",
            f"{model.flops / 1e9:.1f}",
            f"{megabytes(manifest):.1f}",
            *_figures(manifest),
            shown(", ".join(manifest.precisions)),
        )
    return table


def _details(manifest: Manifest) -> Table:
    """What does not fit into a row: two columns, of which the right one is wrapped."""
    facts = {
        "about": [manifest.description] if manifest.description else [],
        "sizes": [f"{sizes_line(manifest)}; GFLOP of the first"] if manifest.other_sizes else [],
        "from": [manifest.model.origin] if manifest.model.origin else [],
        "answers": [] if manifest.kind == METRIC else [f"{MEANINGS[manifest.kind]}; for metres {REMEDY}"],
        "states": ["with each depth, how likely it is within 10% of the truth"] if manifest.confidence else [],
        "measured": [f"{conditions(found)}: {_metrics(found)}" for found in manifest.accuracy],
        "confidence": [confidence_line(found.confidence) for found in manifest.accuracy if found.confidence],
        "limits": [found for precision in manifest.precisions if (found := manifest.looser_limits(precision))],
        "camera": [describe_camera(manifest)],
        "licences": [_licence(licence) for licence in manifest.licences],
    }
    grid = Table.grid(padding=(0, 2))
    for fact, lines in facts.items():
        for number, line in enumerate(lines):
            grid.add_row("" if number else f"  {fact}", shown(line))
    return grid


def sizes_line(manifest: Manifest) -> str:
    """All sizes of pictures that the network takes, the first one first."""
    return ", ".join(map(str, manifest.inputs))


def licences_line(licences: Sequence[Licence]) -> str:
    """What each part of a bundle may be used for, in a line."""
    return ", ".join(map(_licence, licences)) or "none stated"


def _licence(licence: Licence) -> str:
    return f"{licence.part}: {licence.licence}"


def describe_camera(manifest: Manifest) -> str:
    """The training camera, and what it means for other cameras."""
    size, camera = manifest.input, manifest.camera
    if camera is None:
        return "unknown"
    focal = f"{camera.fx:.0f} px focal length at {size.height}×{size.width}, {field_of_view(size, camera):.0f}° across"
    return f"{focal}; depth is metric for it, others give --fov" if manifest.kind == METRIC else focal


def _figures(manifest: Manifest) -> tuple[str, str, str]:
    """rel and δ1 as first measured with nothing aligned, and δ1 of the same frames aligned to the true median."""
    plain = next((found for found in manifest.accuracy if found.align == "none"), None)
    if plain is None:
        return "-", "-", "-"
    same = msgspec.structs.replace(plain, align="median", confidence=None)
    aligned = [
        found.metrics.delta1
        for found in manifest.accuracy
        if msgspec.structs.replace(found, metrics=plain.metrics) == same
    ]
    return f"{plain.metrics.rel:.3f}", f"{plain.metrics.delta1:.3f}", f"{aligned[0]:.3f}" if aligned else "-"


def conditions(found: Accuracy) -> str:
    """On what, and how, a bundle's accuracy was measured."""
    passes = "mirrored average" if found.mirrored else "one pass"
    aligned = "" if found.align == "none" else f", {_ALIGNED[found.align]} aligned"
    return f"{found.data} ({found.split}), {found.frames} frames, {_CROPS[found.crop]}, {passes}{aligned}"


def confidence_line(found: StatedConfidence) -> str:
    """What confidence was measured to be worth."""
    return (
        f"{found.observed:.1%} of the pixels are within 10% of the truth, {found.stated:.1%} by their confidence; the "
        f"interval of 90% holds {found.covered:.1%}; without the least sure fifth rel changes by {found.surest:+.1%}"
    )


def _metrics(found: Accuracy) -> str:
    return f"rel {found.metrics.rel:.3f}, δ1 {found.metrics.delta1:.3f}"


def field_of_view(size: InputSize, camera: TrainingCamera) -> float:
    """How many degrees the training camera sees across the picture's width."""
    return math.degrees(2 * math.atan(size.width / 2 / camera.fx))


def megabytes(manifest: Manifest) -> float:
    """The size of a bundle's files, in millions of bytes."""
    return sum(file.size for file in manifest.files.values()) / 1e6


def _as_json(bundle: Bundle) -> dict[str, Any]:
    manifest, camera = bundle.manifest, bundle.manifest.camera
    return {
        "name": bundle.name,
        "path": str(bundle.path),
        "description": manifest.description,
        "input": msgspec.to_builtins(manifest.input),
        "other_inputs": [msgspec.to_builtins(size) for size in manifest.inputs[1:]],
        "parameters": manifest.model.parameters,
        "flops": manifest.model.flops,
        "precisions": manifest.precisions,
        "looser_limits": {name: found for name in manifest.precisions if (found := manifest.looser_limits(name))},
        "accuracy": msgspec.to_builtins(manifest.accuracy),
        "megabytes": megabytes(manifest),
        "weights": manifest.weights is not None,
        "kind": manifest.kind,
        "confidence": manifest.confidence,
        "origin": manifest.model.origin,
        "depth": msgspec.to_builtins(manifest.depth),
        "camera": camera and {**msgspec.to_builtins(camera), "fov": field_of_view(manifest.input, camera)},
        "licences": msgspec.to_builtins(manifest.licences),
    }


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth models",
        "List models: cost, accuracy, camera and licences.",
        "clipdepth models edge-nyu",
    )
    parser.add_argument("bundle", nargs="*", metavar="BUNDLE", help=f"{BUNDLE_HELP} (default: all models that ship)")
    add_json_argument(parser, "what is known of them")
    return parser
