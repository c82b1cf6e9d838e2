"""Whether novelty tells a dataset's test frames from pictures of what a model did not learn from.

    python benchmarks/experiments/novelty.py RUN_OR_BUNDLE [--data nyu] [--like kitchen] [--most 100]

The model is a run that `clipdepth confidence` was given, or its bundle, on ONNX Runtime. Prints a Markdown table: for
each kind of picture how many there are, the median novelty, the share of them above 1, and the AUROC, the probability
that one of them is more novel than a test frame. `--like` is a further dataset, of another camera or of other places.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from clipdepth.bundle.confidence import NOVEL
from clipdepth.errors import UsageError
from clipdepth_train.candidate import Candidate, open_candidate
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.rooms import RoomsSet
from clipdepth_train.data.sample import RgbdPair, RgbdSet, evenly_spread
from clipdepth_train.data.transforms import test_pair

Frame = NDArray[np.uint8]
Novelty = NDArray[np.float64]
TESTS = "test frames"


def main(argv: Sequence[str]) -> int:
    """Run the script; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="RUN_OR_BUNDLE")
    parser.add_argument("--data", help="the dataset (default: what the model was trained on)")
    parser.add_argument("--like", metavar="DATA", help="a further dataset")
    parser.add_argument("--most", type=int, default=100, metavar="N", help="pictures of each other kind (default: 100)")
    options = parser.parse_args(argv)
    with open_candidate(options.model) as candidate:
        tests = open_set(options.data or candidate.data, "test", candidate.frames)
        known = list(_spread(tests, len(tests), candidate))
        kinds = dict(pictures(known, options.most, tests.picture_size))
        if options.like:
            others = open_set(options.like, "test", candidate.frames)
            kinds[options.like] = _spread(others, options.most, candidate)
        found = {name: _novelty(candidate, frames) for name, frames in {TESTS: known, **kinds}.items()}
    sys.stdout.write("".join(f"{row}\n" for row in _table(found)))
    return 0


def pictures(known: Sequence[Frame], most: int, size: tuple[int, int]) -> Mapping[str, Iterable[Frame]]:
    """Pictures unlike the `known` ones, of their (height, width), at most so many of each kind."""
    rng = np.random.default_rng(0)
    some = [known[index] for index in evenly_spread(len(known), most)]
    rooms = RoomsSet("test", *size, 1, 10.0)
    return {
        "rendered rooms": (rooms[index].frame for index in evenly_spread(len(rooms), most)),
        "lens cap": (_grey(rng.normal(rng.uniform(0, 12), rng.uniform(0, 5), (*size, 3))) for _ in range(most)),
        "night, test frames at 2 to 10% of their light": (
            _grey(rng.poisson(rng.uniform(0.02, 0.1) * frame) + rng.normal(0, 2, frame.shape)) for frame in some
        ),
        "overexposed, test frames at 4 to 10 times their light": (
            _grey(rng.uniform(4, 10) * frame.astype(np.float64)) for frame in some
        ),
        "out of focus, test frames blurred": (
            np.asarray(cv2.GaussianBlur(frame, (0, 0), rng.uniform(8, 25)), np.uint8) for frame in some
        ),
        "sky": (sky(rng, size) for _ in range(most)),
        "noise": (rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(most)),
    }


def sky(rng: np.random.Generator, size: tuple[int, int]) -> Frame:
    """A gradient from blue to bright with soft clouds and a camera's noise."""
    above = rng.uniform((180, 120, 60), (255, 200, 160))
    below = rng.uniform((200, 180, 150), (255, 240, 240))
    height = np.linspace(0, 1, size[0])[:, None, None]
    clouds = cv2.GaussianBlur(rng.normal(0, 1, size), (0, 0), rng.uniform(15, 50))
    bright = rng.uniform(0, 25) * (clouds / clouds.std()).clip(0, 3)[..., None]
    return _grey(above * (1 - height) + below * height + bright + rng.normal(0, 1.5, (*size, 3)))


def _grey(levels: NDArray[np.float64]) -> Frame:
    return levels.clip(0, 255).astype(np.uint8)


def _spread(pairs: RgbdSet, most: int, candidate: Candidate) -> Iterator[Frame]:
    """Frames evenly spread over a set, as they are evaluated."""
    return (test_pair(pairs[index], candidate.frames).frame for index in evenly_spread(len(pairs), most))


def _novelty(candidate: Candidate, frames: Iterable[Frame]) -> Novelty:
    found = [candidate.answer(RgbdPair(frame, np.zeros(frame.shape[:2], np.float32))).novelty for frame in frames]
    if any(novelty is None for novelty in found):
        raise UsageError(f"{candidate.name} does not tell novelty; fit it with 'clipdepth confidence RUN'")
    return np.array(found, np.float64)


def _table(found: Mapping[str, Novelty]) -> Iterator[str]:
    yield f"| pictures | number | median novelty | above {NOVEL:g} | AUROC |"
    yield "| --- | --- | --- | --- | --- |"
    tests = found[TESTS]
    for name, novelty in found.items():
        facts = f"| {name} | {len(novelty)} | {np.median(novelty):.2f} | {(novelty > NOVEL).mean():.1%} |"
        yield f"{facts} {'' if novelty is tests else f'{auroc(novelty, tests):.3f}'} |"


def auroc(novel: Novelty, known: Novelty) -> float:
    """The probability that one of the first is above one of the second, ties counting half."""
    return float(mannwhitneyu(novel, known).statistic / (len(novel) * len(known)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
