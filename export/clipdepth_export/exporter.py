"""Exporting a run: graph, golden frames, verification and manifest, or nothing at all."""

import platform
from pathlib import Path
from typing import Any

import onnxruntime
import torch

from clipdepth import __version__
from clipdepth.agreement import Agreement
from clipdepth.atomic import atomic_folder
from clipdepth.bundle import MANIFEST, stored_file
from clipdepth.engines import measure_agreement, usable_cores
from clipdepth.engines.onnxruntime_cpu import load
from clipdepth.errors import UsageError, VerificationError
from clipdepth.golden import Golden
from clipdepth.manifest import (
    SCHEMA,
    Camera,
    DepthRange,
    Graph,
    InputSize,
    Manifest,
    Model,
    StoredFile,
    encode_manifest,
)
from clipdepth_export.golden_frames import golden_frames
from clipdepth_export.graph import OPSET, write_graph
from clipdepth_export.licences import licences
from clipdepth_train.checkpoint import CHECKPOINT, load_run, read_checkpoint
from clipdepth_train.data.loader import open_set
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.recipe import Recipe, encode_recipe

GRAPH, GOLDEN = "depth.fp32.onnx", "golden.npz"
FP32_TOLERANCE = 1e-4
"""Largest mean relative depth difference of the fp32 graph to PyTorch."""


def export_run(run: Path, out: Path, data: str | None = None) -> Manifest:
    """Export a trained run to the bundle `out`; golden frames come from the test frames of `data` (the run's own).

    Raises VerificationError, and writes nothing, where the graph's depth differs from PyTorch's; UsageError where
    `out` is something else than a bundle.
    """
    if out.exists() and not (out / MANIFEST).is_file():
        raise UsageError(f"{out} exists and is no bundle; choose another --out")
    model, recipe = load_run(run)
    size = recipe.frames
    if model.network.needs_segmentation:
        raise UsageError(
            f"{run} needs SAM's segmentation of each frame, which a bundle cannot make yet; export another"
        )
    model.mirror = False
    deployed = model.deployable()
    golden = golden_frames(model, open_set(data or recipe.data, "test", size), size)
    with atomic_folder(out) as folder:
        golden.save(folder / GOLDEN)
        write_graph(deployed, folder / GRAPH, size.height, size.width)
        agreement = verify_graph(folder / GRAPH, golden)
        files = {name: stored_file(folder / name) for name in (GRAPH, GOLDEN)}
        manifest = _manifest(out.name.removesuffix(".bundle"), run, deployed, recipe, agreement, files)
        (folder / MANIFEST).write_bytes(encode_manifest(manifest))
    return manifest


def verify_graph(graph: Path, golden: Golden, tolerance: float = FP32_TOLERANCE) -> Agreement:
    """Measure an ONNX graph on golden frames; raises VerificationError where it does not agree with PyTorch."""
    engine = load(graph, usable_cores())
    agreement = measure_agreement(engine.infer, golden, tolerance)
    engine.close()
    if not agreement:
        raise VerificationError(f"the exported graph {agreement}; no bundle was written")
    return agreement


def _manifest(
    name: str, run: Path, model: DepthModel, recipe: Recipe, agreement: Agreement, files: dict[str, StoredFile]
) -> Manifest:
    _, _, state = read_checkpoint(run / CHECKPOINT)
    size, (minimum, maximum) = recipe.frames, model.depth_range
    return Manifest(
        schema=SCHEMA,
        name=name,
        written_by={
            "clipdepth": __version__,
            "torch": str(torch.__version__),
            "onnxruntime": onnxruntime.__version__,
            "machine": platform.machine(),
        },
        model=Model(
            recipe=_portable(recipe),
            parameters=model.parameter_count(),
            flops=model.flops(size.height, size.width),
            checkpoint_sha256=stored_file(run / CHECKPOINT).sha256,
        ),
        input=InputSize(height=size.height, width=size.width),
        depth=DepthRange(minimum=minimum, maximum=maximum),
        camera=Camera(**state["camera"]),
        licences=licences(recipe),
        graphs={"fp32": Graph(file=GRAPH, opset=OPSET, verification=agreement)},
        golden=GOLDEN,
        files=files,
    )


def _portable(recipe: Recipe) -> dict[str, Any]:
    # Folders of this machine tell a device nothing; the last part of a path still names the data and the weights.
    plain = encode_recipe(recipe)
    for name in ("data", "start"):
        plain[name] = Path(plain[name]).name
    if "clip" in plain["model"]:
        plain["model"]["clip"]["weights"] = Path(plain["model"]["clip"]["weights"]).name
    return plain
