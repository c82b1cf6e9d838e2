"""Writes a run whose weights are the mean of other runs' weights: a model soup (Wortsman et al. 2022).

    python benchmarks/experiments/nyu/soup.py RUN RUN… --out RUN

The runs have one network, and all but the first began from another of them: only weights of one valley have a mean that
is good. Recipe, camera and ingredients are those of the last.
"""

import argparse
from pathlib import Path

import torch

from clipdepth_train.checkpoint import CHECKPOINT, read_checkpoint, save_checkpoint


def main() -> None:
    """Read, average, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    runs = [read_checkpoint(run / CHECKPOINT) for run in options.runs]
    last, recipe, state = runs[-1]
    mean = {name: _mean([tensors[name] for tensors, _, _ in runs]) for name in last}
    save_checkpoint(options.out / CHECKPOINT, mean, recipe, state)


def _mean(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Their mean; of counts, which batch norms keep, the last."""
    return torch.stack(tensors).mean(0) if tensors[-1].is_floating_point() else tensors[-1]


if __name__ == "__main__":
    main()
