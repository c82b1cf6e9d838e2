"""Exporting a model: graphs, golden frames, verification and manifest, or nothing at all."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch

from clipdepth import __version__
from clipdepth.bundle.agreement import TOLERANCES, Tolerance
from clipdepth.bundle.folder import is_bundle
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import CODE, MANIFEST, SCHEMA, Graph, InputSize, Manifest, OtherSize, Precision
from clipdepth.bundle.record import encode_record
from clipdepth.bundle.sam_record import SamRecord
from clipdepth.bundle.stored_file import stored_file
from clipdepth.errors import UsageError, VerificationError
from clipdepth.files.atomic import atomic_folder
from clipdepth_export.graph import proto_of, save_graph, trace_depth
from clipdepth_export.graph_writer import GraphWriter, Sized
from clipdepth_export.reference import HELD_OUT, MOST_GOLDEN, OTHERS_GOLDEN, Track, golden_frames, silently, with_depth
from clipdepth_export.sam import PRECISIONS as SAM_PRECISIONS
from clipdepth_export.sam.chain import require_masks, segmented
from clipdepth_export.sam.exporter import sam_licences, write_sam
from clipdepth_export.simplification import simplify
from clipdepth_export.source import ExportSource
from clipdepth_export.variants import CALIBRATION_FRAMES, Variants
from clipdepth_export.weights import WEIGHTS

GOLDEN = "golden.npz"


@dataclass(frozen=True)
class ExportConfig:
    """What an export writes."""

    precisions: Sequence[Precision] = ("fp32",)
    """The graphs, each verified by itself."""
    max_batch: int = 1
    """How many frames at once the graphs take at most; 1 makes every shape static."""
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    """Where a precision's tolerance is not the default one."""
    weights: bool = False
    """Whether the network's weights go in too, to train on from."""
    description: str = ""
    """The trunk and the data in a line, for those who choose a model."""
    other_sizes: Sequence[tuple[int, int]] | None = None
    """Heights and widths of further inputs, beside the source's first; None for those that the source names."""

    def tolerance(self, precision: str) -> Tolerance:
        """How far a precision may be from PyTorch."""
        return {**TOLERANCES, **self.tolerances}[precision]


@dataclass(frozen=True)
class Exported:
    """The manifest of the bundle that was written, and why a precision is not in it."""

    manifest: Manifest
    refused: dict[str, str]
    """By the label of a graph: 'fp16', 'int8 cpu'."""


def require_free(out: Path) -> None:
    """Raise UsageError where `out` is something else than a bundle, which an export would replace."""
    if out.exists() and not is_bundle(out):
        raise UsageError(f"{out} exists and is no bundle of this clipdepth; choose another --out")


def write_bundle(
    source: ExportSource, out: Path, config: ExportConfig = ExportConfig(), track: Track = silently
) -> Exported:
    """Export a model to the bundle `out`.

    A precision whose depth differs from PyTorch's is left out. Raises VerificationError, and writes nothing, where
    none is left or the fp32 graph differs, which the others are made of and which is verified whether it is asked for
    or not; UsageError where `out` is something else than a bundle, int8 has too few frames to be calibrated on, or
    there are no weights to train on from.
    """
    require_free(out)
    if config.weights and source.write_weights is None:
        raise UsageError(f"clipdepth cannot train {source.name}, so its weights are no use; leave out --weights")
    return _Export(source, config, track).write(out)


class _Export:
    """One export: the model, what it is held to, and what came of each precision."""

    def __init__(self, source: ExportSource, config: ExportConfig, track: Track) -> None:
        self.source, self.config, self.track = source, config, track
        further = source.other_sizes if config.other_sizes is None else config.other_sizes
        shapes = dict.fromkeys([(source.height, source.width), *further])
        first, *others = (InputSize(height, width, config.max_batch) for height, width in shapes)
        self.training = self._training(first, others) if set(config.precisions) - {"fp32"} else []
        self.sizes = [self._sized(first, MOST_GOLDEN)]
        for size in others:
            sized = self._sized(size, OTHERS_GOLDEN)
            # So few frames tell nothing of δ1, to which the held-out ones are held.
            unmeasured = replace(sized.golden, truth=np.zeros_like(sized.golden.truth))
            self.sizes.append(replace(sized, golden=unmeasured))

    def _sized(self, size: InputSize, golden: int) -> Sized:
        source = self.source
        reference = with_depth(source.frames.held_out(HELD_OUT, size), source.trained or source.module, self.track)
        frames = golden_frames(reference, golden)
        if source.sam:
            frames = segmented(frames, source.sam, source.module, self.track)
        return Sized(size, trace_depth(source.module, size, source.inputs, source.confident), reference, frames)

    def write(self, out: Path) -> Exported:
        """Write the bundle."""
        with atomic_folder(out) as folder, TemporaryDirectory() as scratch:
            graphs, refused = self._graphs(folder, Path(scratch))
            for sized in self.sizes:
                sized.golden.save(folder / self._golden_file(sized))
            sam = self._write_sam(graphs[0], folder) if self.source.sam else None
            if self.config.weights and self.source.write_weights:
                self.source.write_weights(folder / WEIGHTS)
            manifest = self._manifest(out.name.removesuffix(".bundle"), graphs, sam, folder)
            (folder / MANIFEST).write_bytes(encode_record(manifest))
        return Exported(manifest, refused)

    def _graphs(self, folder: Path, scratch: Path) -> tuple[list[list[Graph]], dict[str, str]]:
        """Write the graphs of each size, the fp32 ones first, since the others are made of them.

        Also why some were refused. A graph that one size's frames refuse is left out at all sizes.
        """
        fp32 = [scratch / f"fp32.{sized.name}.onnx" for sized in self.sizes]
        for sized, path in zip(self.sizes, fp32, strict=True):
            save_graph(simplify(proto_of(sized.program)), path)
        variants = Variants(fp32, self.training, self.source.kind, self.track)
        graphs: list[list[Graph]] = [[] for _ in self.sizes]
        refused: dict[str, str] = {}
        for precision in dict.fromkeys(("fp32", *self.config.precisions)):
            asked = precision in self.config.precisions
            tolerance = self.config.tolerance(precision)
            made, failed = variants.make_all(precision, tolerance)
            writer = GraphWriter(folder if asked else scratch, self.sizes, tolerance, self.source.kind)
            written, differ = writer.write(precision, made)
            refused |= failed | differ
            for kept, more in zip(graphs, written, strict=True):
                kept += more if asked else []
            if "fp32" in refused:
                break
        if "fp32" in refused or not graphs[0]:
            raise VerificationError(f"{'; '.join(refused.values())}; no bundle was written")
        return graphs, refused

    def _training(self, first: InputSize, others: Sequence[InputSize]) -> list[Golden]:
        """The frames to calibrate on, of each size; raises UsageError where they are too few for int8."""
        frames, least = self.source.frames.training(CALIBRATION_FRAMES, first), self.source.frames.least
        if "int8" in self.config.precisions and len(frames.frames) < least:
            raise UsageError(
                f"int8 is calibrated on {least} frames at least, {self.source.frames.name} has {len(frames.frames)}; "
                "give others with --data or --frames"
            )
        return [frames, *(self.source.frames.training(CALIBRATION_FRAMES, size) for size in others)]

    def _write_sam(self, graphs: Sequence[Graph], folder: Path) -> SamRecord:
        """Write what makes masks of a plain frame, in the precisions of the depth graphs; int8 takes fp32's."""
        assert self.source.sam
        written = {graph.precision for graph in graphs}
        precisions = [precision for precision in SAM_PRECISIONS if precision in written] or ["fp32"]
        golden = self.sizes[0].golden
        record = write_sam(self.source.sam, folder, precisions, list(golden.frames))
        require_masks(folder, record, golden)
        return record

    def _golden_file(self, sized: Sized) -> str:
        return GOLDEN if sized is self.sizes[0] else f"golden.{sized.name}.npz"

    def _manifest(self, name: str, graphs: list[list[Graph]], sam: SamRecord | None, folder: Path) -> Manifest:
        source = self.source
        others = zip(self.sizes[1:], graphs[1:], strict=True)
        return Manifest(
            schema=SCHEMA,
            name=name,
            written_by={
                "clipdepth": __version__,
                "torch": str(torch.__version__),
                "onnxruntime": onnxruntime.__version__,
                "machine": platform.machine(),
            },
            model=source.model,
            input=self.sizes[0].input,
            depth=source.depth,
            camera=source.camera,
            licences=[CODE, *source.licences, *(sam_licences(source.sam) if source.sam else [])],
            graphs=graphs[0],
            golden=GOLDEN,
            other_sizes=[OtherSize(sized.input, of, self._golden_file(sized)) for sized, of in others],
            sam=sam,
            files={file.name: stored_file(file) for file in sorted(folder.iterdir())},
            description=self.config.description,
            accuracy=list(source.accuracy),
            weights=WEIGHTS if self.config.weights else None,
            kind=source.kind,
            confidence=source.confident,
        )
