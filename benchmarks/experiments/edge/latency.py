"""Times the variants of `edge` in int8 on OpenVINO, in turn in one run, and counts what they compute in fp32.

    python benchmarks/experiments/edge/latency.py --out benchmarks/results/edge [--seconds 120] [NAME…]

Weights are random and nothing is trained: time does not depend on them. Graphs are kept in `OUT/bundles`; results go to
`OUT/latency.json`. Ultralytics' yolo26n-depth in int8 is the reference, at the nearest size that it takes, 256×320.
"""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import openvino
from edge_experiments import EXPERIMENTS, is_timed_as_base, recipe_of
from numpy.typing import NDArray
from rich.console import Console

from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import MANIFEST, InputSize
from clipdepth.engines import usable_cores
from clipdepth.files.atomic import write_json
from clipdepth.model import DepthModel, load
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_bench.families.peers import yolo
from clipdepth_bench.families.peers.forms import OwnFrames
from clipdepth_bench.families.peers.random_bundle import write_random_bundle
from clipdepth_bench.measure.duration import Measure, by_clock
from clipdepth_bench.measure.samples import ratio_to
from clipdepth_bench.measure.timing import Limits, interleave
from clipdepth_train.depth_model import build_model

HEIGHT, WIDTH = 240, 320
REFERENCE = "yolo26n-depth"
PROFILED = 20


def main() -> None:
    """Write the graphs, time them, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of another architecture than 'base'")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/edge"))
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    others = [name for name in EXPERIMENTS if not is_timed_as_base(name)]
    names = options.names or ["base", *others]
    frames = np.stack([Room(7).render(i / 5, default_intrinsics(HEIGHT, WIDTH)).frame for i in range(8)])
    console = Console(stderr=True)
    for name in (REFERENCE, *names):
        console.print(f"graph of {name}", highlight=False)
        _write(options.out / "bundles" / name, name)
    bundles = {name: open_bundle(options.out / "bundles" / name, any_tolerance=True) for name in (REFERENCE, *names)}
    models = [load(bundle, engine="openvino", precision="int8") for bundle in bundles.values()]
    measures = [_measure(model, frames) for model in models]
    timing = interleave(measures, frames, Limits(seconds=options.seconds))
    found = {}
    for (name, bundle), samples in zip(bundles.items(), timing.samples, strict=True):
        ratio = ratio_to(samples, timing.samples[0])
        assert ratio is not None
        counts = _precisions(bundle.graph("int8"))
        found[name] = {
            "p50_ms": samples.latency.p50,
            "n": len(samples.all),
            "of_reference": asdict(ratio),
            "gflop": bundle.manifest.model.flops / 1e9,
            **counts,
        }
        sys.stdout.write(f"{name} {found[name]}\n")
    write_json(options.out / "latency.json", found)


def _write(path: Path, name: str) -> None:
    if (path / MANIFEST).is_file():
        return
    if name == REFERENCE:
        peer = yolo.peer(InputSize(HEIGHT, WIDTH))
        module, size = peer.build(peer.size), peer.size
    else:
        recipe = recipe_of(EXPERIMENTS[name])
        recipe = replace(recipe, optim=replace(recipe.optim, trunk_learning_rate=1e-3))
        module, size = build_model(recipe).deployable(), InputSize(recipe.frames.height, recipe.frames.width)
    write_random_bundle(path, module, size, ["int8"])


def _measure(model: DepthModel, frames: NDArray[np.uint8]) -> Measure:
    return by_clock(OwnFrames(model.engine.infer, frames, model.bundle.manifest.input))


def _precisions(graph: Path) -> dict[str, float]:
    """How many operations OpenVINO runs in int8 and in others, and the others' share of the time."""
    settings = {"PERF_COUNT": True, "EXECUTION_MODE_HINT": "ACCURACY", "INFERENCE_NUM_THREADS": usable_cores()}
    compiled = openvino.Core().compile_model(graph, "CPU", settings)
    request = compiled.create_infer_request()
    spent: dict[str, float] = {}
    int8: dict[str, bool] = {}
    for _ in range(PROFILED):
        request.infer({0: np.zeros(compiled.inputs[0].shape, np.uint8)})
        for node in request.get_profiling_info():
            if node.status == node.Status.EXECUTED:
                spent[node.node_name] = spent.get(node.node_name, 0.0) + node.real_time.total_seconds()
                int8[node.node_name] = node.exec_type.lower().endswith("i8")
    share = sum(time for name, time in spent.items() if not int8[name]) / sum(spent.values())
    return {"int8": sum(int8.values()), "others": len(int8) - sum(int8.values()), "others_share": share}


if __name__ == "__main__":
    main()
