"""The model card of a bundle on the hub: what its manifest says, for people and for the hub's search."""

import json
from collections.abc import Iterator, Sequence

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.hub_name import HubName, is_hub_name, parse_hub_name
from clipdepth.bundle.kind import MEANINGS, METRIC
from clipdepth.bundle.manifest import Licence, Manifest
from clipdepth.cli.models import conditions, confidence_line, describe_camera, megabytes, sizes_line
from clipdepth.errors import UsageError
from clipdepth.files.foreign import shown

CARD, PICTURE = "README.md", "picture.jpg"
"""Files that stand beside the bundle's in the repository; no device reads them."""
_FREE = {"mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"}
"""Licences that let anyone pass the bundle on, for any use: the hub's names, which are SPDX's in small letters."""
_LICENCES = _FREE | {"cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "gpl-3.0", "agpl-3.0"}
"""All that the hub has a name for."""


def model_card(bundle: Bundle, at: HubName, page: str) -> str:
    """README.md of the bundle at a repository whose page has the URL `page`: the hub's YAML head, and Markdown."""
    manifest = bundle.manifest
    parts = [_head(manifest, page), *_about(manifest, at), *_figures(manifest), *_graphs(manifest)]
    return "\n".join([*parts, *_facts(manifest), *_licences(manifest), *_limits(manifest), *_use(at)]) + "\n"


def restricted(manifest: Manifest) -> list[Licence]:
    """The licences that are not among those which let anyone pass the bundle on: the owner has to know them."""
    return [licence for licence in manifest.licences if licence.licence.lower() not in _FREE]


def _head(manifest: Manifest, page: str) -> str:
    """The YAML between '---'; values are written as JSON, which is YAML."""
    stated = {licence.licence.lower() for licence in manifest.licences}
    known = len(stated) == 1 and stated <= _LICENCES
    fields: dict[str, object] = {"license": stated.pop() if known else "other"}
    if not known:
        fields |= {"license_name": "see-licences", "license_link": f"{page}#licences"}
    fields |= {"library_name": "clipdepth", "pipeline_tag": "depth-estimation", "tags": _tags(manifest)}
    base = _base_model(manifest)
    if base:
        fields["base_model"] = base
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in fields.items()), "---", ""])


def _tags(manifest: Manifest) -> list[str]:
    kind = "metric-depth" if manifest.kind == METRIC else "relative-depth"
    return ["clipdepth", "onnx", "monocular-depth-estimation", kind, *manifest.precisions]


def _base_model(manifest: Manifest) -> str | None:
    """The model on the hub that it was exported from, where that is one."""
    origin = manifest.model.origin
    if not is_hub_name(origin):
        return None
    try:
        return parse_hub_name(origin).repository
    except UsageError:
        return None


def _about(manifest: Manifest, at: HubName) -> Iterator[str]:
    yield f"# {at.name}\n"
    if manifest.description:
        yield f"{_text(manifest.description)}.\n".replace("..", ".")
    yield (
        f"A bundle of clipdepth: ONNX graphs from one camera's picture to "
        f"{MEANINGS[manifest.kind]}, checked against PyTorch before they were written.\n"
    )
    yield f"![frames and their depth]({PICTURE})\n"
    yield "*Golden frames of the bundle, their measured depth where there is one, and PyTorch's depth of them.*\n"


def _figures(manifest: Manifest) -> Iterator[str]:
    if not manifest.accuracy:
        yield "## Accuracy\n\nNot stated. `clipdepth evaluate` measures it on your own data.\n"
        return
    yield "## Accuracy\n"
    rows = [
        [
            conditions(found) + (", nothing aligned" if found.align == "none" else ""),
            *(f"{value:.3f}" for value in (found.metrics.rel, found.metrics.rmse, found.metrics.log10)),
            *(f"{value:.3f}" for value in (found.metrics.delta1, found.metrics.delta2, found.metrics.delta3)),
        ]
        for found in manifest.accuracy
    ]
    yield _table(["measured on", "rel ↓", "rmse ↓", "log10 ↓", "δ1 ↑", "δ2 ↑", "δ3 ↑"], rows)
    yield "Of the network in PyTorch fp32. Never compare a figure that is aligned with one that is not.\n"
    for found in manifest.accuracy:
        if found.confidence:
            yield f"Confidence, {_text(conditions(found))}: {confidence_line(found.confidence)}.\n"


def _graphs(manifest: Manifest) -> Iterator[str]:
    yield "## Graphs\n"
    rows, several = [], bool(manifest.other_sizes)
    for size, graph in ((sized.input, graph) for sized in manifest.sizes for graph in sized.graphs):
        found = graph.verification
        change = "-" if found.delta1_change is None else f"{100 * found.delta1_change:+.2f}"
        megabytes_read = f"{manifest.bytes_of(graph) / 1e6:.1f}"
        numbers = [f"{found.mean:.2g}", f"{found.largest:.2g}", f"{found.tolerance.mean:.2g}", change]
        if manifest.confidence:
            numbers += [f"{found.confidence_change:.2g}", f"{found.novelty_change:.2g}"]
        label = f"{graph.label}, {size}" if several else graph.label
        rows.append([label, graph.file, megabytes_read, str(graph.operators), *numbers])
    more = ["confidence", "novelty"] if manifest.confidence else []
    yield _table(["graph", "file", "MB", "operators", "mean", "largest", "limit", "Δδ1", *more], rows)
    frames = max(graph.verification.frames for graph in manifest.graphs)
    yield (
        f"The relative difference from PyTorch fp32's depth on {frames} frames; the limit is on the mean; "
        "Δδ1 is the change against the measured depth, in points.\n"
    )
    if manifest.confidence:
        yield "Confidence, from 0 to 1, differs so much on average, and novelty so much relatively.\n"


def _facts(manifest: Manifest) -> Iterator[str]:
    size, model = manifest.input, manifest.model
    at_once = "one frame at a time" if size.max_batch == 1 else f"1 to {size.max_batch} frames at a time"
    rows = [
        ["input", f"{sizes_line(manifest)} pixels, uint8 BGR, {at_once}"],
        ["output", MEANINGS[manifest.kind] + (", confidence and novelty" if manifest.confidence else "")],
        ["range", f"{manifest.depth.minimum:g} to {manifest.depth.maximum:g} m" if manifest.depth else "not metric"],
        ["training camera", describe_camera(manifest)],
        ["parameters", f"{model.parameters / 1e6:.1f} M"],
        ["GFLOP a frame", f"{model.flops / 1e9:.1f}{f' at {size}' if manifest.other_sizes else ''}"],
        ["size", f"{megabytes(manifest):.1f} MB in all"],
        ["weights to train on from", "yes" if manifest.weights else "no"],
    ]
    rows += [["exported from", model.origin]] if model.origin else []
    yield "## The model\n"
    yield _table(["", ""], rows)


def _licences(manifest: Manifest) -> Iterator[str]:
    yield "## Licences\n"
    yield _table(["part", "licence"], [[licence.part, licence.licence] for licence in manifest.licences])
    yield "All of them hold for this model.\n"


def _limits(manifest: Manifest) -> Iterator[str]:
    yield "## Limits\n"
    for precision in manifest.precisions:
        looser = manifest.looser_limits(precision)
        if looser:
            yield f"- {precision}: {looser}."
    if manifest.kind != METRIC:
        yield "- The answer is not in metres."
    elif manifest.camera is None:
        yield "- The training camera is not known: depth is metric only for a camera like it."
    else:
        yield "- Depth is metric for the training camera's field of view; tell yours with `--fov` or `--calibration`."
    nearest = "the input of the nearest shape" if manifest.other_sizes else "the input"
    yield f"- A picture of another shape is fitted into {nearest} whole, and the rest is filled with its edge."
    yield "- The golden frames show that an engine computes what PyTorch did, not that depth is right in your scene.\n"


def _use(at: HubName) -> Iterator[str]:
    name = f"hf:{at.repository}"
    yield "## How to run it\n"
    commands = f"pip install 'clipdepth[cpu,hub]'\nclipdepth verify {name}\nclipdepth run {name} --source 0 --show"
    yield f"```\n{commands}\n```\n"
    yield f'```python\nimport clipdepth\n\nmodel = clipdepth.load("{name}")\ndepth = model(image).depth\n```\n'
    yield (
        f"`{name}@REVISION` pins it, where REVISION is a commit of this repository; every report of clipdepth names "
        "the commit that it used. Sizes and hashes of all files are checked before an engine sees them."
    )


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _text(text: str) -> str:
    """Text from a manifest as Markdown that is only text: no table ends, no HTML, no links, no images."""
    plain = shown(text)
    for special in "\\`*_[]|":
        plain = plain.replace(special, f"\\{special}")
    return plain.replace("&", "&amp;").replace("<", "&lt;")
