"""Exporting a run: graphs, golden frames, verification and manifest, or nothing at all."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime
import torch

from clipdepth import __version__
from clipdepth.bundle.agreement import TOLERANCES, Agreement, Tolerance
from clipdepth.bundle.folder import is_bundle, stored_file
from clipdepth.bundle.graph_check import graph_problem
from clipdepth.bundle.manifest import (
    MANIFEST,
    SCHEMA,
    Accuracy,
    DepthRange,
    Graph,
    InputSize,
    Licence,
    Manifest,
    Model,
    Precision,
    TrainingCamera,
)
from clipdepth.bundle.record import encode_record
from clipdepth.bundle.sam_record import SamRecord
from clipdepth.errors import UsageError, VerificationError
from clipdepth.files.atomic import atomic_folder
from clipdepth_export.gate import judge, require_agreement
from clipdepth_export.graph import OPSET, ExportError, proto_of, save_graph, trace_depth
from clipdepth_export.layers import worst_layers
from clipdepth_export.reference import Track, golden_frames, reference_frames, silently
from clipdepth_export.sam.chain import require_masks, segmented
from clipdepth_export.sam.exporter import PRECISIONS as SAM_PRECISIONS
from clipdepth_export.sam.exporter import sam_licences, write_sam
from clipdepth_export.sam.of_run import sam_of_run
from clipdepth_export.simplification import simplify
from clipdepth_export.variants import CALIBRATION_FRAMES, Variant, Variants, feeds
from clipdepth_export.weights import WEIGHTS, write_weights
from clipdepth_train.checkpoint import CHECKPOINT, load_run_and_state
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdSet
from clipdepth_train.recipe import DataConfig, Recipe, decode_recipe, encode_recipe
from clipdepth_train.segmentation import SamConfig

GOLDEN = "golden.npz"
CODE = Licence(part="clipdepth code", licence="MIT")


@dataclass(frozen=True)
class ExportConfig:
    """What an export writes."""

    precisions: Sequence[Precision] = ("fp32",)
    """The graphs, each verified by itself."""
    max_batch: int = 1
    """How many frames at once the graphs take at most; 1 makes every shape static."""
    data: str | None = None
    """The dataset for golden and calibration frames; None for what the run was trained on."""
    sam_weights: str | None = None
    """The file of SAM's weights, for a model that was trained with its masks; None for random ones."""
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    """Where a precision's tolerance is not the default one."""
    weights: bool = False
    """Whether the network's weights go in too, to train on from."""
    accuracy: Sequence[Accuracy] = ()
    """What the run was measured to be worth."""
    description: str = ""
    """The trunk and the data in a line, for those who choose a model."""

    def tolerance(self, precision: str) -> Tolerance:
        """How far a precision may be from PyTorch."""
        return {**TOLERANCES, **self.tolerances}[precision]


@dataclass(frozen=True)
class Exported:
    """The manifest of the bundle that was written, and why a precision is not in it."""

    manifest: Manifest
    refused: dict[Precision, str]


def export_run(run: Path, out: Path, config: ExportConfig = ExportConfig(), track: Track = silently) -> Exported:
    """Export a trained run to the bundle `out`.

    A precision whose depth differs from PyTorch's is left out. Raises VerificationError, and writes nothing, where
    none is left or the fp32 graph differs, which the others are made of and which is verified whether it is asked for
    or not; UsageError where `out` is something else than a bundle, or int8 has too few frames to be calibrated on.
    """
    if out.exists() and not is_bundle(out):
        raise UsageError(f"{out} exists and is no bundle of this clipdepth; choose another --out")
    return _Export(run, config, track).write(out)


class _Export:
    """One export: the model, what it is held to, and what came of each precision."""

    def __init__(self, run: Path, config: ExportConfig, track: Track) -> None:
        model, self.recipe, self.state = load_run_and_state(run)
        self.run, self.config, self.track = run, config, track
        self.ingredients = [Licence(**licence) for licence in self.state["ingredients"]]
        if config.accuracy and self.recipe.frames.held_out:
            raise UsageError(f"{run} is evaluated on training pairs (--frames.held-out); leave out --accuracy")
        model.mirror = False
        self.deployed = model.deployable()
        self.data = config.data or self.recipe.data
        self.sam = self._sam() if model.network.needs_segmentation else None
        self.training = self._training() if set(config.precisions) - {"fp32"} else None
        self.reference = reference_frames(model, open_set(self.data, "test", self.size), self.size, track)
        self.golden = golden_frames(self.reference)
        if self.sam:
            self.golden = segmented(self.golden, self.sam, self.deployed, track)
        self.program = trace_depth(self.deployed, self.size.height, self.size.width, config.max_batch)

    @property
    def size(self) -> DataConfig:
        """The input size, and how data is read."""
        return self.recipe.frames

    def write(self, out: Path) -> Exported:
        """Write the bundle."""
        with atomic_folder(out) as folder, TemporaryDirectory() as scratch:
            graphs, refused = self._graphs(folder, Path(scratch))
            self.golden.save(folder / GOLDEN)
            sam = self._write_sam(graphs, folder) if self.sam else None
            if self.config.weights:
                write_weights(self.run, decode_recipe(_portable(self.recipe), str(self.run)), folder / WEIGHTS)
            manifest = self._manifest(out.name.removesuffix(".bundle"), graphs, sam, folder)
            (folder / MANIFEST).write_bytes(encode_record(manifest))
        return Exported(manifest, refused)

    def _graphs(self, folder: Path, scratch: Path) -> tuple[dict[str, Graph], dict[Precision, str]]:
        """Write the graphs, the fp32 one first, since the others are made of it; also why some were refused."""
        fp32 = scratch / "fp32.onnx"
        model = simplify(proto_of(self.program))
        save_graph(model, fp32)
        variants = Variants(fp32, self.training, self.size, self.track)
        graphs: dict[str, Graph] = {}
        refused: dict[Precision, str] = {}
        for precision in dict.fromkeys(("fp32", *self.config.precisions)):
            asked = precision in self.config.precisions
            try:
                graph = self._graph(variants, precision, folder if asked else scratch)
            except VerificationError as error:
                refused[precision] = str(error)
                if precision == "fp32":
                    break
            else:
                graphs.update({precision: graph} if asked else {})
        if "fp32" in refused or not graphs:
            raise VerificationError(f"{'; '.join(refused.values())}; no bundle was written")
        return graphs, refused

    def _graph(self, variants: Variants, precision: Precision, folder: Path) -> Graph:
        """Write a precision's graph into `folder`; raises VerificationError, and leaves no file, where it differs."""
        tolerance = self.config.tolerance(precision)
        variant = variants.make(precision, tolerance)
        path = folder / f"depth.{precision}.onnx"
        save_graph(variant.model, path)
        if problem := graph_problem(path, ()):
            raise ExportError(f"no device would run the {precision} graph: {problem}; choose another trunk")
        try:
            verification = self._verify(variant, path, precision, tolerance)
        except VerificationError:
            path.unlink()
            raise
        return Graph(path.name, OPSET, len(variant.model.graph.node), verification, variant.excluded)

    def _verify(self, variant: Variant, path: Path, precision: Precision, tolerance: Tolerance) -> Agreement:
        """Hold the file to PyTorch on held-out and on golden frames, and what computes as a device does, first."""
        agreements = [judge(path, self.reference, tolerance), judge(path, self.golden, tolerance)]
        if variant.judged is not variant.model:
            agreements.insert(0, judge(variant.judged, self.reference, tolerance))
        frame = feeds(self.golden)[0]
        return require_agreement(precision, agreements, lambda: worst_layers(self.program, variant, frame))

    def _training(self) -> RgbdSet:
        """The frames to calibrate on; raises UsageError where they are too few for int8."""
        pairs = open_set(self.data, "train", replace(self.size, dense=False))
        if "int8" in self.config.precisions and len(pairs) < CALIBRATION_FRAMES:
            raise UsageError(
                f"int8 is calibrated on {CALIBRATION_FRAMES} training frames, {self.data} has {len(pairs)}; give --data"
            )
        return pairs

    def _sam(self) -> SamConfig:
        return sam_of_run(self.data, self.recipe.frames.segments, self.config.sam_weights)

    def _write_sam(self, graphs: Mapping[str, Graph], folder: Path) -> SamRecord:
        """Write what makes masks of a plain frame, in the precisions of the depth graphs; int8 takes fp32's."""
        assert self.sam
        precisions = [precision for precision in SAM_PRECISIONS if precision in graphs] or ["fp32"]
        record = write_sam(self.sam, folder, precisions, list(self.golden.frames))
        require_masks(folder, record, self.golden)
        return record

    def _manifest(self, name: str, graphs: dict[str, Graph], sam: SamRecord | None, folder: Path) -> Manifest:
        size, (minimum, maximum) = self.size, self.deployed.depth_range
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
                recipe=_portable(self.recipe),
                parameters=self.deployed.parameter_count(),
                flops=self.deployed.flops(size.height, size.width),
                checkpoint_sha256=stored_file(self.run / CHECKPOINT).sha256,
            ),
            input=InputSize(height=size.height, width=size.width, max_batch=self.config.max_batch),
            depth=DepthRange(minimum=minimum, maximum=maximum),
            camera=TrainingCamera(**self.state["camera"]),
            licences=[CODE, *self.ingredients, *(sam_licences(self.sam) if self.sam else [])],
            graphs=graphs,
            golden=GOLDEN,
            sam=sam,
            files={file.name: stored_file(file) for file in sorted(folder.iterdir())},
            description=self.config.description,
            accuracy=list(self.config.accuracy),
            weights=WEIGHTS if self.config.weights else None,
        )


def _portable(recipe: Recipe) -> dict[str, Any]:
    # Folders of this machine tell a device nothing; the last part of a path still names the data and the weights.
    plain = encode_recipe(recipe)
    for name in ("data", "start", "teacher"):
        plain[name] = Path(plain[name]).name
    if "trunk" in plain["model"]:
        plain["model"]["trunk"]["weights"] = Path(plain["model"]["trunk"]["weights"]).name
    return plain
