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


@dataclass(frozen=True)
class GraphWriter:
    """Writes into `folder` what agrees with PyTorch's depth of all `frames` within `tolerance`."""

    folder: Path
    size: InputSize
    frames: tuple[Golden, Golden]
    """The held-out frames, whose figures the manifest states, and the golden ones."""
    tolerance: Tolerance
    kind: DepthKind
    program: torch.onnx.ONNXProgram
    """The traced model, whose layers tell where a graph goes wrong."""

    def write(self, precision: Precision, made: Sequence[Variant]) -> tuple[list[Graph], dict[str, str]]:
        """Write the graphs of a precision; also how those differ that were left out, by label."""
        self._save(precision, made)
        graphs, refused = dict[str, Graph](), dict[str, str]()
        for variant in made:
            try:
                graphs[variant.label] = self._record(variant, self._verify(variant))
            except VerificationError as error:
                refused[variant.label] = str(error)
        if refused:
            for variant in made:
                (self.folder / variant.file).unlink()
            self._save(precision, [variant for variant in made if variant.label in graphs])
        beside = self._beside(precision)
        weights = beside.name if beside.exists() else None
        return [replace(graph, weights=weights) for graph in graphs.values()], refused

    def _record(self, variant: Variant, verification: Agreement) -> Graph:
        operators, opset = len(variant.model.graph.node), variant.model.opset_import[0].version
        return Graph(
            variant.file, variant.precision, opset, operators, verification, variant.excluded, variant.placement
        )

    def _beside(self, precision: Precision) -> Path:
        return self.folder / f"depth.{precision}.weights"

    def _save(self, precision: Precision, made: Sequence[Variant]) -> None:
        """Write graphs; several share a file of weights. Raises ExportError for one that no device would run."""
        beside = self._beside(precision)
        beside.unlink(missing_ok=True)
        paths = {self.folder / variant.file: variant for variant in made}
        if len(made) > 1:
            save_together({path: variant.model for path, variant in paths.items()}, beside)
        for path, variant in paths.items():
            if len(made) == 1:
                save_graph(variant.model, path)
            if problem := graph_problem(path, {beside.name}):
                remedy = "leave out --max-batch or " if self.size.max_batch > 1 else ""
                raise ExportError(
                    f"no device would run the {variant.label} graph: {problem}; {remedy}choose another model"
                )

    def _verify(self, variant: Variant) -> Agreement:
        """Hold what computes as a device does to PyTorch on all frames, and the file too if it runs here."""
        graphs: list[onnx.ModelProto | Path] = [] if variant.judged is variant.model else [variant.judged]
        if variant.placement != "tensorrt":
            graphs.append(self.folder / variant.file)
        agreements = [judge(graph, frames, self.tolerance, self.kind) for graph in graphs for frames in self.frames]
        frame = feeds(self.frames[1])[0]
        return require_agreement(variant.label, agreements, lambda: worst_layers(self.program, variant, frame))
