"""The figures of the pages are those of the results that are committed, rounded as they are shown."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
BOX = ROOT / "runtime" / "clipdepth" / "bundle" / "box" / "edge-nyu" / "manifest.json"
NUMBER = re.compile(r"(?<![A-Za-z\d.])[+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
Cell = Sequence[float] | None
"""The numbers of a cell in their order; None for one that no result has."""
Rows = Mapping[str, Sequence[Cell]]


@cache
def read(path: str) -> Any:
    return json.loads((RESULTS / path).read_text(encoding="utf-8"))


@cache
def box() -> Any:
    return json.loads(BOX.read_text(encoding="utf-8"))


def differs(shown: str, value: float) -> bool:
    """Whether a number that a page shows is not `value` rounded to the digits that are shown."""
    digits, _, exponent = shown.replace("−", "-").replace(",", "").partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    return abs(float(f"{digits}e{exponent or 0}") - value) > unit * (0.5 + 1e-6)


def compare(text: str, values: Sequence[float]) -> str | None:
    """What is wrong with a page's text, whose numbers should be `values`."""
    shown = NUMBER.findall(text)
    if len(shown) != len(values) or any(map(differs, shown, values)):
        return f"'{text}' should have {list(values)}"
    return None


def tables(page: str) -> list[list[list[str]]]:
    """The tables of a page: rows of cells, the head first, without the line below it."""
    found: list[list[list[str]]] = [[]]
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [[rows[0], *rows[2:]] for rows in found if rows]


def plain(label: str) -> str:
    return re.sub(r"[*`†‡\\]", "", label).strip()


def report(path: str) -> dict[str, Any]:
    """The rows of a bench's report that were timed, by name and precision."""
    rows = {f"{row['name']} {row['precision']}": row for row in read(path)["rows"] if row["latency_ms"]}
    assert rows
    return rows


def spread(ratio: Mapping[str, float]) -> Cell:
    return ratio["p50"], ratio["p10"], ratio["p90"]


def executed(row: Mapping[str, Any]) -> Cell:
    layers = (row["executed"] or {}).get("layers")
    return (layers.get("int8", 0), sum(layers.values())) if layers else ()


HERE = "amd-epyc-2-cores/report.json"


def engines_and_peers() -> Rows:
    def row(found: Mapping[str, Any]) -> Sequence[Cell]:
        time = found["latency_ms"]
        cells = spread(found["speedup"]), (time["p50"],), found["p50_interval_ms"], (time["p99"],)
        return (*cells, executed(found), ())

    return {name: row(found) for name, found in report(HERE).items()}


FORMS = {
    "edge-nyu in PyTorch eager": "PyTorch eager fp32",
    "edge-nyu in PyTorch, bf16, its fastest form": "PyTorch folded channels-last bf16",
    "edge-nyu in fp16, computed in fp32, on OpenVINO": "openvino fp16",
    "edge-nyu in fp16, computed in fp32, on ONNX Runtime": "onnxruntime fp16",
    "Ultralytics' YOLO26n-depth, 256×320, NNCF's int8 on OpenVINO": "YOLO26n-depth 256×320 best form",
    "ZipDepth, 256×320, NNCF's int8 on OpenVINO": "ZipDepth 256×320 best form",
    "Depth Anything V2 Small, 238×322, NNCF's int8 on OpenVINO": "Depth Anything V2 S 238×322 best form",
    "Depth Anything V2 Small, 518×518, NNCF's int8 on OpenVINO": "Depth Anything V2 S 518×518 best form",
    "the paper's Multi-Scale Adapter, 416×544, in PyTorch eager, which is what its code gives": (
        "MSA (RN50) 416×544 eager fp32"
    ),
}
"""The rows of the table of the fastest forms, by those of the report."""


def times_as_long(slow: str, fast: str) -> Cell:
    """How many times as long as `fast` the row `slow` of the report takes, by rounds: median, p10, p90."""
    rows = report(HERE)
    slower, faster = (np.array(rows[name]["round_medians_ms"], np.float64) for name in (slow, fast))
    # A round that was cut short has no median of some.
    return tuple(float(value) for value in np.nanquantile(slower / faster, (0.5, 0.1, 0.9)))


def fastest_forms() -> Rows:
    ours = ("openvino int8", "onnxruntime int8")
    return {label: [times_as_long(name, fast) for fast in ours] for label, name in FORMS.items()}


def pipeline() -> Rows:
    def row(found: Mapping[str, Any]) -> Sequence[Cell]:
        stream = found["streaming"]
        delay = stream["capture_to_depth_ms"]
        return (stream["fps"],), (delay["p50"],), (delay["p99"],), (found["memory"]["host_mb"],), (found["model_mb"],)

    return {name: row(found) for name, found in report(HERE).items()}


def speed() -> Rows:
    names = {
        "edge-nyu, PyTorch eager": "PyTorch eager fp32",
        "edge-nyu fp16, ONNX Runtime": "onnxruntime fp16",
        "edge-nyu int8, ONNX Runtime": "onnxruntime int8",
        "edge-nyu fp16, OpenVINO": "openvino fp16",
        "edge-nyu int8, OpenVINO": "openvino int8",
        "Ultralytics' yolo26n-depth, 256×320, NNCF's int8 on OpenVINO": "YOLO26n-depth 256×320 best form",
        "the paper's Multi-Scale Adapter, 416×544, PyTorch eager": "MSA (RN50) 416×544 eager fp32",
    } | {label: name for label, name in FORMS.items() if label.startswith(("ZipDepth", "Depth Anything"))}
    rows = report(HERE)
    cells = {
        label: ((rows[name]["latency_ms"]["p50"],), spread(rows[name]["speedup"])) for label, name in names.items()
    }
    return {**cells, "edge-nyu, PyTorch eager": (cells["edge-nyu, PyTorch eager"][0], (1,))}


def rates() -> Rows:
    found = read(HERE)["roofline"]
    (memory,) = found["bandwidths"]
    size = "CPU {precision} products of {size}×{size} {library}"
    rows = {size.format(**rate): ((rate["gops"],),) for rate in found["rates"]}
    return {**rows, f"CPU triad of {memory['array_mb']:.0f} MB arrays PyTorch": ((memory["gb_per_s"],),)}


def roofline() -> Rows:
    rows: dict[str, Sequence[Cell]] = {}
    for found in read(HERE)["roofline"]["rows"]:
        for part in ("whole", "convolutions"):
            time, work = found[part], found[part]["work"]
            floor = max(time["compute_ms"], time["memory_ms"])
            moved = (work["weight_bytes"] + work["port_bytes"]) / 1e6
            times = time["compute_ms"], time["memory_ms"], floor, time["took_ms"], time["took_ms"] / floor
            figures = sum(work["operations"].values()) / 1e9, moved, *times, time["uncached_ms"]
            rows[f"{found['name']} {found['precision']} {part}"] = [(value,) for value in figures]
    return rows


def pareto() -> Rows:
    rows: dict[str, Sequence[Cell]] = {}
    for number, point in enumerate(read("amd-epyc-2-cores/pareto.json")["points"]):
        row, metrics = point["row"], (point["accuracy"] or {"metrics": None})["metrics"]
        accuracy = [(metrics[name],) for name in ("rel", "delta1", "rmse")] if metrics else [(), (), ()]
        counted = (row["latency_ms"]["n"],), (), (point["accuracy"]["frames"],) if metrics else ()
        rows[f"{point['bundle']} {row['name']} {row['precision']}"] = (
            (number,) if metrics else (),
            spread(row["speedup"]),
            (row["latency_ms"]["p50"],),
            *accuracy,
            None,  # on the front of: δ1 is a name
            (),
            row["p50_interval_ms"],
            *counted,
        )
    return rows


H200 = {
    "PyTorch eager, fp32, CPU": "PyTorch eager fp32",
    "PyTorch eager, fp32, CUDA": "PyTorch eager CUDA fp32",
    "PyTorch eager, fp16, channels-last, CUDA": "PyTorch eager CUDA fp16",
    "ONNX Runtime CUDA, fp32": "onnxruntime-cuda fp32",
    "ONNX Runtime CUDA, fp16": "onnxruntime-cuda fp16",
    "ONNX Runtime CUDA, int8 (its placement before there were two)": "onnxruntime-cuda int8",
}
H100 = {
    "PyTorch eager, fp32, CPU": "PyTorch eager fp32",
    "PyTorch folded, channels-last, bf16, CPU": "PyTorch folded channels-last bf16",
    "PyTorch eager, fp32, CUDA": "PyTorch eager CUDA fp32",
    "PyTorch eager, TF32, CUDA": "PyTorch eager CUDA tf32",
    "PyTorch folded, channels-last, fp16, CUDA": "PyTorch folded channels-last CUDA fp16",
    "ONNX Runtime, int8, CPU (16 threads)": "onnxruntime int8",
    "ONNX Runtime CUDA, fp16": "onnxruntime-cuda fp16",
    "ONNX Runtime CUDA, int8 (0% in int8)": "onnxruntime-cuda int8",
}


H100_COMPILED = {
    "PyTorch eager, fp32, CPU": "PyTorch eager fp32",
    "PyTorch eager, fp32, CUDA": "PyTorch eager CUDA fp32",
    "PyTorch folded, channels-last, fp16, CUDA": "PyTorch folded channels-last CUDA fp16",
    "torch.compile, fp16, CUDA graphs": "torch.compile CUDA fp16",
}


def times_as_fast(path: str, labels: Mapping[str, str]) -> Rows:
    """Of rows that agree with PyTorch, as the pages' last column says."""
    found = report(path)
    rows: dict[str, Sequence[Cell]] = {}
    for label, name in labels.items():
        row = found[name]
        assert row["verdict"] == "passed"
        ratio = (1,) if name == "PyTorch eager fp32" else spread(row["speedup"])
        time = row["latency_ms"]
        rows[label] = (time["p50"],), (time["p99"],), (time["n"],), ratio, (row["agreement"]["mean"],), ()
    return rows


def on_h200() -> Rows:
    return times_as_fast("nvidia-h200/edge-nyu/report.json", H200)


def compiled_on_h100() -> Rows:
    return times_as_fast("nvidia-h100/compiled/report.json", H100_COMPILED)


def on_h100() -> Rows:
    found = report("nvidia-h100/edge-nyu/report.json")
    rows: dict[str, Sequence[Cell]] = {}
    for label, name in H100.items():
        row = found[name]
        time, stream = row["latency_ms"], row["streaming"]
        # Two frames in three seconds, in which cuDNN chose its kernels: the page leaves them out and says so.
        fps = () if name.endswith(("CUDA tf32", "channels-last CUDA fp16")) else (stream["fps"],)
        mean = (row["agreement"]["mean"],) if row["agreement"] else ()
        rows[label] = (time["p50"],), (time["p99"],), (time["n"],), fps, None, mean, ()
    return rows


METRICS = ("delta1", "delta2", "delta3", "rel", "log10", "rmse")


def evaluated(path: str) -> Any:
    (found,) = read(path)["metrics"].values()
    return found


def reached() -> Rows:
    tried = {row["model"]: row["measured"] for row in read("nvidia-h100/table2.json")["rows"] if row["measured"]}
    labels = {
        "depth_eigen, coarse, by the paper's schedule on 795 frames": tried["depth_eigen, coarse"],
        "depth_eigen, refined, likewise": tried["depth_eigen, refined"],
        "the paper's Multi-Scale Adapter, L1, on EfficientNet-Lite2, by the paper's schedule": evaluated(
            "nyu/msa/schedule.json"
        ),
        "the same by AdamW, 6 epochs": evaluated("nyu/msa/adamw.json"),
        "edge-nyu": evaluated("nyu/edge-nyu/eigen.json"),
    }
    rows = {label: [*((found[name],) for name in METRICS), None] for label, found in labels.items()}
    return {**rows, "edge-nyu": [*rows["edge-nyu"][:-1], (box()["model"]["flops"] / 1e9,)]}


def precisions() -> Rows:
    labels = {
        "fp16": ("fp16", None),
        "int8, placed for processors": ("int8", "cpu"),
        "int8, placed for TensorRT": ("int8", "tensorrt"),
    }
    sizes, rows = box()["files"], {}
    for label, kind in labels.items():
        graph = next(g for g in box()["graphs"] if (g["precision"], g["placement"]) == kind)
        found = graph["verification"]
        size = (sizes[graph["file"]]["size"] + sizes[graph["weights"]]["size"]) / 1e6
        values = size, found["mean"], found["p99"], found["largest"], found["rel_change"], 100 * found["delta1_change"]
        rows[label] = [(value,) for value in values]
    return rows


def uncertainties() -> list[Any]:
    """What edge-nyu's confidence is worth, on NYU and in the kitchen."""
    return [read(f"nyu/edge-nyu/{name}.json")["uncertainty"] for name in ("eigen", "kitchen-registered")]


def how_sure() -> Rows:
    found = uncertainties()
    shares = {
        "pixels within 10%, by confidence": "confidence",
        "pixels within 10%, observed": "within",
        "truths in the interval that should hold 90%": "coverage",
    }
    rel = {
        "rel of all pixels": ("rel", "1"),
        "rel without the least sure fifth": ("rel", "0.8"),
        "rel without the worst fifth, if it were known": ("best", "0.8"),
    }
    rows: dict[str, Sequence[Cell]] = {label: [(100 * part[name],) for part in found] for label, name in shares.items()}
    return rows | {label: [(part[order][left],) for part in found] for label, (order, left) in rel.items()}


def errors_by(kind: str) -> Rows:
    """A table of the report on what a model gets wrong, whose head starts with `kind`."""
    (found,) = [rows for rows in tables("benchmarks/results/nyu/edge-nyu/errors.md") if starts(rows, kind)]
    return {
        plain(label): [[float(number.replace("−", "-")) for number in NUMBER.findall(cell)] for cell in cells]
        for label, *cells in found[1:]
    }


def with_the_kitchen() -> Rows:
    rows: dict[str, Sequence[Cell]] = {}
    for label, name in {"the second part, which was in the box": "edge-nyu", "with the kitchen": "nyukit"}.items():
        kitchen = "averaged/before-kitchen-registered" if name == "edge-nyu" else f"with-kitchen/{name}-kitchen"
        names = (f"with-kitchen/{name}-eigen", f"with-kitchen/{name}-aligned", kitchen)
        found = [evaluated(f"nyu/{part}.json") for part in names]
        rows[label] = [(part[metric],) for part in found for metric in ("rel", "delta1")]
    return rows


def averaged() -> Rows:
    places = {
        "held out, the first part": "averaged/held-first-",
        "held out, averaged": "averaged/held-averaged-",
        "held out, averaged again": "averaged/held-again-",
        "held out, the mean of both": "averaged/held-mean-",
        "the second part, which was in the box": "averaged/before-",
        "averaged": "averaged/",
        "edge-nyu, the mean of both": "edge-nyu/",
    }
    rows: dict[str, Sequence[Cell]] = {}
    for label, place in places.items():
        whole, aligned = (evaluated(f"nyu/{place}{name}.json") for name in ("eigen", "aligned"))
        cells: list[Cell] = [(whole[name],) for name in ("rel", "delta1", "rmse")]
        cells += [(aligned[name],) for name in ("rel", "delta1")]
        kitchen = None if "held" in place else evaluated(f"nyu/{place}kitchen-registered.json")
        rows[label] = [*cells, *((kitchen[name],) if kitchen else () for name in ("rel", "delta1"))]
    return rows


def other_cameras() -> Rows:
    labels = {"4:3": "the frame, 4:3", "× 0.75": "× 0.75, filled around"}
    rows: dict[str, list[Cell]] = {}
    for score in read("nyu/edge-nyu/cameras.json")["scores"]:
        if score["way"] != "stretched":
            cell = (score["rel"], score["delta1"], score["median_ratio"])
            rows.setdefault(labels.get(score["kind"], score["kind"]), []).append(cell)
    return {label: [*cells, None, None] for label, cells in rows.items()}


def tried_here() -> Rows:
    names = ("rel", "δ1", "rmse", "aligned rel", "aligned δ1", "other rel", "other δ1")
    found = read("nyu/experiments.json")
    return {name: (None, *((row[figure],) if figure in row else () for figure in names)) for name, row in found.items()}


def tried_on_h100() -> Rows:
    labels = {"drop-path": "drop path", "cut-depth": "CutDepth", "sharp": "sharpness", "zoom-uniform": "uniform zooms"}
    names = ("rel", "δ1", "rmse", "aligned rel", "aligned δ1", "other rel", "other aligned rel")
    found = read("nvidia-h100/experiments.json")
    return {labels.get(name, name): (None, *((row[figure],) for figure in names)) for name, row in found.items()}


def other_shapes() -> Rows:
    labels = {"lite2-narrow-mild": "lite2-narrow-mild, 48 channels and bins"}
    found = read("nvidia-h100/shapes/experiments.json")
    names = ("rel", "δ1", "aligned δ1")
    none: Sequence[Cell] = [None] * 5
    return {labels.get(name, name): (None, *((row[figure],) for figure in names), *none) for name, row in found.items()}


def trunks() -> Rows:
    rows: dict[str, list[Cell]] = {}
    accuracy: dict[str, tuple[Cell, Cell]] = {}
    for point in sorted(read("nyu/trunks/pareto.json")["points"], key=lambda point: str(point["row"]["name"])):
        row = point["row"]
        if row["precision"] == "int8":
            cells = rows.setdefault(point["bundle"], [])
            cells += [(row["latency_ms"]["p50"],), spread(row["speedup"])]
            metrics = point["accuracy"]["metrics"]
            accuracy[point["bundle"]] = (metrics["rel"],), (metrics["delta1"],)  # the last is OpenVINO's
    return {name: [*cells, *accuracy[name]] for name, cells in rows.items()}


def tried_for_edge() -> Rows:
    labels = {
        "20 epochs for 8": ["long"],
        "SILog forgives half of the mean log error (base: 0.85)": ["lambda-0.5"],
        "half of a gradient loss as well": ["gradient"],
        "four stages of the trunk": ["4-stages"],
        "two stages": ["2-stages"],
        "the trunk frozen (at random weights)": ["frozen"],
        "the trunk on the whole picture, no detail": ["whole"],
        "no detail: depth at stride 8": ["no-detail"],
        "MobileCLIP2-S0's four stages": ["s0-4"],
        "ConvNeXt-tiny's first three stages": ["convnext-3"],
        "192×256, 288×384": ["192x256", "288x384"],
        "the log of depth outright": ["log-depth"],
        "bins of each image's own": ["adaptive"],
        "16 bins; a pyramid of 32 channels": ["bins-16", "width-32"],
        "distilled from the model of 20 epochs": ["distilled"],
    }
    found = read("edge/experiments.json")
    return {
        label: [[found[name][metric] for name in names] for metric in ("rel", "delta1")]
        for label, names in labels.items()
    }


def without_a_pass() -> Rows:
    labels = {
        "the picture's normalisation and average in the first convolutions": (
            "the picture's normalisation and average in the first convolutions"
        ),
        "the last upsampling as two matrix products": "upsampling by matrix products",
        "the expected depth over the last dimension (on OpenVINO; what it gains is ONNX Runtime's)": (
            "the expectation over the last dimension"
        ),
        "the frame's bytes as they are (CLIP's means allow it not: no difference expected)": (
            "the frame's bytes as they are"
        ),
    }
    found = read("edge/passes.json")
    return {label: (spread(found[f"base, without {name}"]["of_all"]),) for label, name in labels.items()}


def models() -> Rows:
    edge, ours = read("edge/experiments.json")["base"], box()["model"]
    return {
        "[edge-nyu](docs/nyu.md)": (None, None, (ours["parameters"] / 1e6,), (ours["flops"] / 1e9,)),
        "[edge](docs/edge.md)": (None, None, (edge["parameters"] / 1e6,), (edge["gflop"],)),
    }


def installed() -> Rows:
    found = {package["name"]: package["mb"] for package in read("amd-epyc-2-cores/installed.json")["packages"]}
    rich = sum(found[name] for name in ("rich", "Pygments", "markdown-it-py", "mdurl"))
    names = ("opencv-python-headless", "av", "onnxruntime", "numpy", "clipdepth")
    rows = {name: ((found[name],), None) for name in names}
    sums = {"rich, with Pygments and two more": ((rich,), None), "all": ((sum(found.values()),), None)}
    return {**rows, **sums}


def sam_alone() -> Rows:
    rows: dict[str, Sequence[Cell]] = {}
    for precision, graphs in read("export/sam.json")["sam"]["graphs"].items():
        found = graphs["verification"]
        rows[f"sam-encoder.{precision}.onnx"] = (None, (found["cosine"],))
        rows[f"sam-decoder.{precision}.onnx"] = (None, (found["mask_iou"], found["predicted_iou"]))
    return rows


@dataclass(frozen=True)
class Table:
    """A table of a page, by the start of its head, and where its figures come from.

    `key` says how many columns name a row. `others` are rows that are quoted, or measured where no result is kept.
    """

    page: str
    head: str
    rows: Callable[[], Rows]
    key: int = 1
    others: frozenset[str] = frozenset()


BENCHMARKS, NYU, EDGE = "docs/benchmarks.md", "docs/nyu.md", "docs/edge.md"
QUOTED = frozenset(
    {
        "published, all 654 test frames",
        "DepthCLIP, zero-shot",
        "the paper's CLIP-Adapter, depth",
        "the paper's Multi-Scale Adapter, L1",
        "depth_eigen, coarse; Eigen et al.'s own figures, from 120,000 frames",
        "DORN, 2018",
        "measured here, 327 test frames",
        "constant median of the training depth",
    }
)
# What tests/train/test_model_sizes.py counts.
COUNTED = frozenset(
    {
        "[space](docs/space.md)",
        "[msa-l1](docs/recipes.md#the-papers-systems)",
        "[depthclip](docs/recipes.md#the-papers-systems)",
        "[others'](docs/models.md)",
    }
)
TABLES = [
    Table(BENCHMARKS, "| × PyTorch eager", engines_and_peers),
    Table(BENCHMARKS, "| OpenVINO | ONNX Runtime", fastest_forms),
    Table(BENCHMARKS, "engine | frames a second", pipeline),
    Table(BENCHMARKS, "device | what | by | rate", rates, 3),
    Table(BENCHMARKS, "engine | part | GFLOP", roofline, 2),
    Table(BENCHMARKS, "engine | no.", pareto),
    Table(BENCHMARKS, "| p50 ms | p99 ms | n | × PyTorch on the CPU", on_h200),
    Table(BENCHMARKS, "| p50 ms | p99 ms | n | frames/s", on_h100),
    Table(BENCHMARKS, "| p50 ms | p99 ms | n | × PyTorch eager on the CPU", compiled_on_h100),
    Table(NYU, "| δ1 ↑ | δ2 ↑", reached, others=QUOTED),
    Table(NYU, "graph | MB | depth differs", precisions),
    Table(NYU, "| NYU, 327 frames | a kitchen", how_sure),
    Table(
        NYU,
        "| what differs | rel ↓ | δ1 ↑ | rmse m ↓ | aligned rel ↓ | aligned δ1 ↑ | kitchen rel ↓ | kitchen δ1",
        tried_here,
    ),
    Table(
        NYU,
        "| what differs | rel ↓ | δ1 ↑ | rmse m ↓ | aligned rel ↓ | aligned δ1 ↑ | kitchen rel ↓ | kitchen aligned",
        tried_on_h100,
    ),
    Table(NYU, "| NYU rel ↓ | NYU δ1", with_the_kitchen),
    Table(NYU, "| rel ↓ | δ1 ↑ | rmse m ↓ | aligned rel ↓ | aligned δ1 ↑ | registered kitchen rel", averaged),
    Table(NYU, "scene | n |", lambda: errors_by("scene | n |")),
    Table(NYU, "true distance | pixels |", lambda: errors_by("true distance | pixels |")),
    Table(NYU, "| GFLOP | rel ↓ | δ1 ↑ | aligned δ1 ↑ | 16:9", other_shapes),
    Table(NYU, "| ONNX Runtime, ms | × eager", trunks),
    Table(NYU, "| ms | × PyTorch eager's speed", speed),
    # The earlier model's columns are what an earlier cameras.py printed.
    Table("docs/cameras.md", "picture | depth", other_cameras),
    Table("docs/devices.md", "package | MB", installed),
    Table("docs/export.md", "file | MB", sam_alone),
    Table(EDGE, "without | × (p10 to p90)", without_a_pass),
    Table(EDGE, "change | rel ↓", tried_for_edge),
    Table("README.md", "recipe | what it is", models, others=COUNTED),
]
NO_RESULTS = {
    BENCHMARKS: ["form | whose", "row | what it is"],
    EDGE: ["|"],
    NYU: ["|"],
    "README.md": ["|  | where it comes from", "engine | device", "|"],
    # A run of an earlier version on two cores, whose files were not kept.
    "docs/kitchen.md": ["| rel ↓", "graph | MB"],
    # What tests/train/test_model_sizes.py counts, and GFLOP of further trunks, counted once.
    "docs/space.md": ["|", "`--model.trunk.name`"],
    "docs/export.md": [],
    "docs/cameras.md": [
        "|",
        "option |",
        "output | where",
        "source |",
        "written by",
        "what the file",
    ],
}
"""Tables of these pages without figures, or with figures of which no result is committed, and then why."""
PRINTED = [
    ("docs/export.md", "model | graph | MB", 0, "export/edge-nyu.md"),
    ("docs/export.md", "model | graph | MB", 1, "export/small.md"),
    ("docs/export.md", "model | placer", 0, "export/placers.md"),
    ("docs/export.md", "Q/DQ pairs", 0, "export/openvino-concat.md"),
    (BENCHMARKS, "graph | core | mean", 0, "arm/edge-nyu.md"),
]
"""Tables of pages that a script prints: the page, the head, which of those with this head, and the result."""


def starts(table: list[list[str]], head: str) -> bool:
    return " | ".join(table[0]).strip().startswith(head) if head != "|" else table[0] == ["", ""]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.page}, {table.head}")
def test_a_tables_figures_are_those_of_the_results(table: Table) -> None:
    (found,) = [rows for rows in tables(table.page) if starts(rows, table.head)]
    expected, wrong, seen = table.rows(), [], set()
    above = [""] * table.key
    for cells in found[1:]:
        above = [cell or before for cell, before in zip(cells[: table.key], above, strict=True)]
        label = plain(" ".join(above))
        if label in table.others:
            continue
        seen.add(label)
        row = expected[label]
        assert len(row) == len(cells) - table.key, label
        pairs = zip(cells[table.key :], row, strict=True)
        wrong += [
            f"{label}: {told}" for text, values in pairs if values is not None and (told := compare(text, values))
        ]
    assert wrong == []
    assert seen == set(expected)


@pytest.mark.parametrize("page", NO_RESULTS)
def test_every_table_is_compared_or_known_to_have_no_results(page: str) -> None:
    heads = [table.head for table in TABLES if table.page == page] + NO_RESULTS[page]
    heads += {head for on, head, *_ in PRINTED if on == page}
    for table in tables(page):
        assert sum(starts(table, head) for head in heads) == 1, table[0]


@pytest.mark.parametrize(("page", "head", "number", "result"), PRINTED)
def test_a_printed_table_is_shown_as_it_was_printed(page: str, head: str, number: int, result: str) -> None:
    shown = [table for table in tables(page) if starts(table, head)][number]
    (printed,) = tables(f"benchmarks/results/{result}")
    assert shown == printed


def sentences() -> Iterable[tuple[str, str, Sequence[float]]]:
    """A page, a pattern of what it says, and the figures in the pattern's groups."""
    metrics, aligned, kitchen, published, whole = (
        evaluated(f"nyu/edge-nyu/{name}.json") for name in ("eigen", "aligned", "kitchen-registered", "kitchen", "all")
    )
    starts = read("amd-epyc-2-cores/installed.json")["start_processor_s"]
    imported, python, helped = (median(starts[name]) for name in ("import clipdepth", "python", "clipdepth run --help"))
    int8 = next(g for g in box()["graphs"] if g["placement"] == "cpu")["verification"]
    row = report(HERE)["openvino int8"]
    yolo = times_as_long("YOLO26n-depth 256×320 best form", "openvino int8")
    anything = times_as_long("Depth Anything V2 S 518×518 best form", "openvino int8")
    assert yolo
    assert anything
    on_ort, msa = report(HERE)["onnxruntime int8"], times_as_long("MSA (RN50) 416×544 eager fp32", "openvino int8")
    assert msa
    times = row["latency_ms"]["p50"], on_ort["latency_ms"]["p50"]
    accuracy, frames = (metrics["rel"], metrics["delta1"]), read("nyu/edge-nyu/eigen.json")["frames"]
    yield "README.md", r"\*\*(\S+) rel\*\*, (\S+) δ1 .* on (\d+) of NYU's 654", (*accuracy, frames)
    yield "README.md", r"two CPU cores\*\*: (\S+) ms a frame", (row["latency_ms"]["p50"],)
    yield (
        "README.md",
        r"\*\*(\S+) ms\*\* a frame .*, (\d+) times as fast",
        (row["latency_ms"]["p50"], row["speedup"]["p50"]),
    )
    yield (
        "README.md",
        r"\*\*(\S+)%\*\* \| mean difference .*, on (\d+) test frames; the limit is (\d+)%",
        (100 * int8["mean"], int8["frames"], 100 * int8["tolerance"]["mean"]),
    )
    yield "README.md", r"yolo26n-depth takes (\S+) times as long", yolo[:1]
    yield "README.md", r"518×518\ntakes (\S+) times as long", anything[:1]
    yield (
        "README.md",
        r"\[`edge-nyu`\].*\| (\S+) M \| (\S+) \|",
        (box()["model"]["parameters"] / 1e6, box()["model"]["flops"] / 1e9),
    )
    in_int8 = r"`edge-nyu` in int8 takes (\S+) ms on OpenVINO and (\S+) ms on ONNX Runtime"
    yield "docs/devices.md", in_int8, times
    ratios = row["speedup"]["p50"], on_ort["speedup"]["p50"]
    yield "docs/recipes.md", in_int8 + r", (\S+) and (\S+) times as fast", (*times, *ratios)
    recipes = r"yolo26n-depth takes (\S+) times as long as .* (\S+)\ntimes, .* PyTorch takes (\S+) times"
    yield "docs/recipes.md", recipes, (yolo[0], anything[0], msa[0])
    yield "docs/recipes.md", r"makes up to (\S+) frames a second", (row["streaming"]["fps"],)
    starting = r"takes (\S+) s of the processor's time, Python's own (\S+) s included, .* --help` (\S+) s"
    yield "docs/devices.md", starting, (imported, python, helped)
    yield NYU, r"parameters \| (\S+) M", (box()["model"]["parameters"] / 1e6,)
    yield NYU, r"`edge-nyu` has rel (\S+) and δ1 ([\d.]+):", (aligned["rel"], aligned["delta1"])
    sure = uncertainties()
    least, best = ([100 * (1 - part[key]["0.8"] / part["rel"]["1"]) for part in sure] for key in ("rel", "best"))
    falls = r"rel falls by (\S+)% on NYU and by (\S+)% in the kitchen. If the worst\nfifth .* (\S+)% and (\S+)%\."
    yield NYU, falls, (*least, *best)
    yield NYU, r"all pixels inside the frame, rel is (\S+) and δ1 (\S+);", (whole["rel"], whole["delta1"])
    yield NYU, r"another Kinect .*: rel (\S+), δ1 (\S+), nothing", (kitchen["rel"], kitchen["delta1"])
    yield NYU, r"as published, rel is (\S+) and δ1 ([\d.]+):", (published["rel"], published["delta1"])
    yield NYU, r"in a kitchen filmed by hand, with registered depth, rel is (\S+)\.", (kitchen["rel"],)
    checks = [read(f"nyu/kitchen-check/{name}.json") for name in ("published", "registered")]
    focal, shift = checks[0]["focal_from_poses"], checks[1]["shift_pixels"]
    yield NYU, r"the colour camera has (\S+) times", (focal["factor"],)
    yield "docs/data.md", r"depth to\s+\((\S+), (\S+)\) pixels of the picture's\.", (shift["x"], shift["y"])
    times = r"list, (\S+) times \((\S+) to (\S+)\) fits"
    yield "docs/data.md", times, (focal["factor"], focal["low"], focal["high"])
    yield NYU, r"yolo26n-depth takes (\S+) times \((\S+) to (\S+)\)", yolo
    yield BENCHMARKS, r"form takes (\S+) times as long and not twice", yolo[:1]
    eight = [scaled("batch", kind, batch=8) / scaled("batch", kind, batch=1) for kind in ("int8", "fp16")]
    core = np.mean(
        [scaled("threads", kind, threads=2) / scaled("threads", kind, threads=1) for kind in ("int8", "fp16")]
    )
    yield BENCHMARKS, r"a second core takes (\S+) of the time", (float(core),)
    yield BENCHMARKS, r"8 frames in int8 take (\S+)\s+times as long as one, .* (\S+) times\. Two", eight
    yield BENCHMARKS, r"at 518×518 (\S+) times and not 50", anything[:1]


def scaled(axis: str, precision: str, **at: int) -> float:
    """The median over the rounds of the p50 of a call, ms, of one point of `bench scaling`."""
    point = {"axis": axis, "precision": precision, **at}
    (found,) = [m for m in read("amd-epyc-2-cores/scaling.json")["measured"] if m["point"].items() >= point.items()]
    return median(sample["latency_ms"]["p50"] for sample in found["samples"])


def test_sentences_say_what_was_measured() -> None:
    for page, pattern, values in sentences():
        text = (ROOT / page).read_text(encoding="utf-8")
        found = re.search(pattern, text)
        assert found, (page, pattern)
        wrong = [shown for shown, value in zip(found.groups(), values, strict=True) if differs(shown, value)]
        assert wrong == [], (page, found[0], values)


def test_a_figure_that_moved_is_told() -> None:
    assert compare("0.160 (0.15 to 2,397)", (0.16041, 0.1549, 2397.4)) is None
    assert compare("−0.0022", (-0.00218,)) is None
    assert compare("6.8e-04", (6.84e-4,)) is None
    assert compare("71 of 73 in int8", (71, 73)) is None
    for text, values in [("0.160", (0.1606,)), ("6.8e-04", (6.9e-4,)), ("8.2", ()), ("–", (0.1,))]:
        assert compare(text, values), text
