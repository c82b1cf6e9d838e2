"""What each step of the export is worth: the same network in int8 on OpenVINO with all steps, and without each.

    python benchmarks/experiments/edge/passes.py --out benchmarks/results/edge [--seconds 120]

Weights are random, time does not depend on them. Results go to `OUT/passes.json` and, as a table, to stdout.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from unittest.mock import patch

import numpy as np
from edge_experiments import EXPERIMENTS, recipe_of

from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import InputSize
from clipdepth.files.atomic import write_json
from clipdepth.model import load
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_bench.families.peers.random_bundle import write_random_bundle
from clipdepth_bench.measure.duration import by_clock
from clipdepth_bench.measure.samples import ratio_to
from clipdepth_bench.measure.timing import Limits, interleave
from clipdepth_train.depth_model import build_model

HEIGHT, WIDTH = 240, 320
ALL = "all steps"
EXPORT = {
    "the picture's normalisation and average in the first convolutions": "clipdepth_export.simplification.fold_picture",
    "upsampling by matrix products": "clipdepth_export.simplification.upsample_by_products",
    "the expectation over the last dimension": "clipdepth_export.simplification.expect_last",
    "the frame's bytes as they are": "clipdepth_export.int8.cpu.take_bytes",
    "depthwise for grouped convolutions": "clipdepth_train.trunk.make_depthwise",
}
NETWORKS = {"base": tuple(EXPORT), "s0-4": tuple(EXPORT)}


def main() -> None:
    """Write the graphs, time them in turn, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/edge"))
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    frames = np.stack([Room(7).render(i / 5, default_intrinsics(HEIGHT, WIDTH)).frame for i in range(8)])
    found = {}
    write = sys.stdout.write
    write("| network | without | × the time with all steps (p10 to p90) | ms | n |\n| --- | --- | --: | --: | --: |\n")
    for network, steps in NETWORKS.items():
        names = (ALL, *steps)
        measures = []
        for number, name in enumerate(names):
            with _without(name):
                path = options.out / "bundles" / f"{network}-without-{number}"
                if not path.exists():
                    module = build_model(recipe_of(EXPERIMENTS[network])).deployable()
                    write_random_bundle(path, module, InputSize(HEIGHT, WIDTH), ["int8"])
                bundle = open_bundle(path, any_tolerance=True)
                model = load(bundle, engine="openvino", precision="int8")
                measures.append(by_clock(model.engine.infer))
        timing = interleave(measures, frames, Limits(seconds=options.seconds))
        for name, samples in zip(names, timing.samples, strict=True):
            ratio, p50 = ratio_to(samples, timing.samples[0]), samples.latency.p50
            assert ratio is not None
            found[f"{network}, without {name}"] = {"p50_ms": p50, "n": len(samples.all), "of_all": asdict(ratio)}
            missing = "–" if name == ALL else name
            write(f"| `{network}` | {missing} | {ratio} | {p50:.2f} | {len(samples.all)} |\n")
    write_json(options.out / "passes.json", found)


@contextmanager
def _without(step: str) -> Iterator[None]:
    target = EXPORT.get(step)
    if target is None:
        yield
        return
    with patch(target, lambda *given: given[-1]):  # all but one change a graph in place; that one gives ranges back
        yield


if __name__ == "__main__":
    main()
