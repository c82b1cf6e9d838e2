"""The graphs of a precision as files of a bundle, each held to PyTorch, or left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from msgspec.structs import replace

from clipdepth.bundle.agreement import Agreement, Tolerance
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.graph_check import graph_problem
from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import Graph, InputSize, Precision
from clipdepth.errors import VerificationError
from clipdepth_export.gate import judge, require_agreement
from clipdepth_export.graph import ExportError, save_graph, save_together
from clipdepth_export.layers import worst_layers
from clipdepth_export.variants import Variant, feeds

At = tuple[int, Variant]
"""A graph and the place of its size among all."""


@dataclass(frozen=True)
class Sized:
    """What graphs of one input size are made of and held to."""

    input: InputSize
    program: torch.onnx.ONNXProgram
    """The model, traced at that size, whose layers tell where a graph goes wrong."""
    reference: Golden
    """The held-out frames, whose figures the manifest states."""
    golden: Golden

    @property
    def name(self) -> str:
        """For names of files: '192x320'."""
        return f"{self.input.height}x{self.input.width}"


@dataclass(frozen=True)
class GraphWriter:
    """Writes into `folder` what agrees with PyTorch's depth of each size's frames within `tolerance`."""

    folder: Path
    sizes: Sequence[Sized]
    tolerance: Tolerance
    kind: DepthKind

    def write(
        self, precision: Precision, made: Sequence[Sequence[Variant]]
    ) -> tuple[list[list[Graph]], dict[str, str]]:
        """Write the graphs of a precision, of which `made` has each at all sizes; return them, size by size.

        Also how those differ that were left out, by label.
        """
        self._save(precision, made)
        graphs: list[list[Graph]] = [[] for _ in self.sizes]
        refused = dict[str, str]()
        for variants in made:
            try:
                found = [self._record(at, self._verify(at)) for at in enumerate(variants)]
            except VerificationError as error:
                refused[variants[0].label] = str(error)
                continue
            for kept, graph in zip(graphs, found, strict=True):
                kept.append(graph)
        if refused:
            for at in (at for variants in made for at in enumerate(variants)):
                (self.folder / self._file(at)).unlink()
            self._save(precision, [variants for variants in made if variants[0].label not in refused])
        beside = self._beside(precision)
        weights = beside.name if beside.exists() else None
        return [[replace(graph, weights=weights) for graph in kept] for kept in graphs], refused

    def _file(self, at: At) -> str:
        """The name of a graph's file; of the first size it names none: 'depth.int8.cpu.onnx'."""
        place, variant = at
        return f"depth.{f'{self.sizes[place].name}.' if place else ''}{variant.label.replace(' ', '.')}.onnx"

    def _record(self, at: At, verification: Agreement) -> Graph:
        variant = at[1]
        operators, opset = len(variant.model.graph.node), variant.model.opset_import[0].version
        return Graph(
            self._file(at), variant.precision, opset, operators, verification, variant.excluded, variant.placement
        )

    def _beside(self, precision: Precision) -> Path:
        return self.folder / f"depth.{precision}.weights"

    def _save(self, precision: Precision, made: Sequence[Sequence[Variant]]) -> None:
        """Write graphs; several share a file of weights. Raises ExportError for one that no device would run."""
        beside = self._beside(precision)
        beside.unlink(missing_ok=True)
        paths = {self.folder / self._file(at): at[1] for variants in made for at in enumerate(variants)}
        if len(paths) > 1:
            save_together({path: variant.model for path, variant in paths.items()}, beside)
        for path, variant in paths.items():
            if len(paths) == 1:
                save_graph(variant.model, path)
            if problem := graph_problem(path, {beside.name}):
                remedy = "leave out --max-batch or " if self.sizes[0].input.max_batch > 1 else ""
                raise ExportError(
                    f"no device would run the {variant.label} graph: {problem}; {remedy}choose another model"
                )

    def _verify(self, at: At) -> Agreement:
        """Hold what computes as a device does to PyTorch on its size's frames, and the file too if it runs here."""
        sized, variant = self.sizes[at[0]], at[1]
        graphs: list[onnx.ModelProto | Path] = [] if variant.judged is variant.model else [variant.judged]
        if variant.placement != "tensorrt":
            graphs.append(self.folder / self._file(at))
        frames = (sized.reference, sized.golden)
        agreements = [judge(graph, held, self.tolerance, self.kind) for graph in graphs for held in frames]
        frame = feeds(sized.golden)[0]
        label = f"{variant.label} at {sized.name}" if at[0] else variant.label
        return require_agreement(label, agreements, lambda: worst_layers(sized.program, variant, frame))
