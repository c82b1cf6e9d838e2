"""How many times as long as one bundle another takes, engine by engine, in turns.

    python benchmarks/experiments/runtime/two_bundles.py before.bundle after.bundle [--engine openvino]

A row an engine and precision that both have: the ratio of the medians of a round, its median and 10th to 90th
percentile over the rounds, and the median milliseconds of both.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from time import perf_counter

import numpy as np
from figures import print_heading, print_machine, print_row
from numpy.typing import NDArray

from clipdepth.bundle.folder import open_bundle
from clipdepth.engines import Infer, load_engine
from clipdepth.errors import ClipdepthError


def main(argv: Sequence[str]) -> None:
    """Measure and print."""
    options = _parser().parse_args(argv)
    bundles = [open_bundle(name) for name in options.bundles]
    precisions = [p for p in bundles[0].manifest.precisions if p in bundles[1].manifest.precisions]
    print_machine()
    print_heading("engine", "×", "ms before", "ms after")
    for engine in options.engine or ["onnxruntime", "openvino"]:
        for precision in precisions:
            with ExitStack() as stack:
                loaded = [stack.enter_context(closing(load_engine(each, engine, precision))) for each in bundles]
                times = _in_turns([each.infer for each in loaded], bundles[0].golden().frames[:1], options)
            ratios = times[:, 1] / times[:, 0]
            low, middle, high = np.quantile(ratios, (0.1, 0.5, 0.9))
            before, after = np.median(times, axis=0)
            print_row(
                f"{engine} {precision}", f"{middle:.2f} ({low:.2f} to {high:.2f})", f"{before:.2f}", f"{after:.2f}"
            )


def _in_turns(infers: Sequence[Infer], frames: NDArray[np.uint8], options: argparse.Namespace) -> NDArray[np.float64]:
    """The median milliseconds of each round, (rounds, 2), after one round that does not count."""
    rounds = [[_median_ms(infer, frames, options.frames) for infer in infers] for _ in range(options.rounds + 1)]
    return np.array(rounds[1:])


def _median_ms(infer: Infer, frames: NDArray[np.uint8], count: int) -> float:
    times = []
    for _ in range(count):
        start = perf_counter()
        infer(frames)
        times.append(1000 * (perf_counter() - start))
    return float(np.median(times))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("two_bundles.py", description="Time two bundles in turns.")
    parser.add_argument("bundles", nargs=2, metavar="BUNDLE")
    parser.add_argument("--engine", action="append", help="once for each (default: onnxruntime and openvino)")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--frames", type=int, default=12)
    return parser


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ClipdepthError as error:
        raise SystemExit(f"two_bundles.py: error: {error}") from None
