"""Exports runs in every precision and prints a Markdown table of what came of it.

    python benchmarks/experiments/export_table.py --data kitchen --out exports RUN…

A row for each graph of a run: size, operators, layers left out of int8, depth against PyTorch's on the dataset's test
frames, and what ONNX Runtime, OpenVINO and TensorRT's parser and builder say of the graph. Without a GPU the last is
TensorRT for RTX, as in the tests. Of a model with SAM, its two graphs have rows of their own.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import onnx
from rich.console import Console

from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import PRECISIONS, Graph
from clipdepth.engines.tensorrt.build import build_plan
from clipdepth.engines.tensorrt.network import parse_graph
from clipdepth.engines.tensorrt.precisions import network_precisions
from clipdepth.errors import ClipdepthError
from clipdepth.model import load
from clipdepth_export.exporter import ExportConfig, write_bundle
from clipdepth_export.sources.run import run_source

HEADINGS = (
    "model", "graph", "MB", "operators", "left out", "mean", "p99", "largest", "Δrel", "Δδ1, points",
    "ONNX Runtime", "OpenVINO", "TensorRT",
)  # fmt: skip
RIGHT = range(2, 10)


def main(argv: Sequence[str]) -> int:
    """Export each run and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--data", help="dataset for calibration and test frames (default: each run's own)")
    parser.add_argument("--out", type=Path, default=Path("exports"), help="folder for the bundles (default: exports)")
    options = parser.parse_args(argv)
    _find_tensorrt()
    _say(HEADINGS)
    _say("--:" if column in RIGHT else "---" for column in range(len(HEADINGS)))
    progress = Console(stderr=True)
    for run in options.runs:
        progress.print(f"exporting {run}")
        for row in _rows(run, options.out / f"{run.name}.bundle", options.data):
            _say(row)
    return 0


def _rows(run: Path, out: Path, data: str | None) -> Iterator[list[str]]:
    exported = write_bundle(run_source(run, data), out, ExportConfig(PRECISIONS))
    bundle = open_bundle(out)
    for graph in bundle.manifest.graphs:
        yield [run.name, graph.label, *_depth_row(bundle, graph)]
    for label, reason in exported.refused.items():
        yield [run.name, label, f"refused: {reason}", *[""] * (len(HEADINGS) - 3)]
    sam = bundle.manifest.sam
    for precision, graphs in sam.graphs.items() if sam else ():
        found = graphs.verification
        cosine, overlap = f"mean cosine {found.cosine:.6f}", f"mean IoU {found.mask_iou:.4f}"
        for name, agreement in ((graphs.encoder, cosine), (graphs.decoder, overlap)):
            yield [f"{run.name}: {name.split('.')[0]}", precision, *_sam_row(bundle.path / name, agreement)]


def _sam_row(path: Path, agreement: str) -> list[str]:
    tensorrt = _verdict(lambda: _tensorrt(path))
    return [_megabytes(path.stat().st_size), _operators(path), "", agreement, *[""] * 4, "agrees", "", tensorrt]


def _depth_row(bundle: Bundle, graph: Graph) -> list[str]:
    path, found = bundle.path / graph.file, graph.verification
    rel = "" if found.rel_change is None else f"{found.rel_change:+.4f}"
    delta1 = "" if found.delta1_change is None else f"{100 * found.delta1_change:+.2f}"
    differences = [f"{value:.1e}" for value in (found.mean, found.p99, found.largest)]
    facts = [
        _megabytes(bundle.manifest.bytes_of(graph)),
        str(graph.operators),
        str(len(graph.excluded)),
        *differences,
        rel,
        delta1,
    ]
    here = [_ran(bundle, name, graph.precision) if graph.suits("cpu") else "" for name in ("onnxruntime", "openvino")]
    return [*facts, *here, _verdict(lambda: _tensorrt(path)) if graph.suits("tensorrt") else ""]


def _ran(bundle: Bundle, engine: str, precision: str) -> str:
    """Whether an engine agrees, and what of the arithmetic ran in what."""

    def ran() -> str:
        with load(bundle, engine=engine, precision=precision) as model:
            return f"{_word(model.verify())}, {model.executed()}"

    return _verdict(ran)


def _word(agreement: Agreement) -> str:
    return "agrees" if agreement.passed else "differs"


def _tensorrt(path: Path) -> str:
    parsed = parse_graph(path)
    build_plan(parsed, 1)
    return f"builds: {network_precisions(parsed)}"


def _verdict(judge: Callable[[], str]) -> str:
    try:
        return judge()
    except (ClipdepthError, ModuleNotFoundError, RuntimeError) as error:
        return " ".join(str(error).split())[:120]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _operators(path: Path) -> str:
    return str(len(onnx.load(path, load_external_data=False).graph.node))


def _find_tensorrt() -> None:
    """Take the tests' TensorRT for RTX where there is no TensorRT."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    from tensorrt_cpu.plugin import load_tensorrt

    sys.modules.setdefault("tensorrt", load_tensorrt())


def _say(cells: Iterable[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
