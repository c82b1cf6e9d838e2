"""What `train.py` and `latency.py` found, as a Markdown table and a plot.

    python benchmarks/experiments/edge/table.py benchmarks/results/edge > table.md

Writes `experiments.svg` beside the results: rel and δ1 of each experiment, those of the same recipe with other seeds
as the band in which a difference says nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any

from edge_experiments import EXPERIMENTS, is_timed_as_base
from matplotlib.figure import Figure

from clipdepth_bench.report.figures import ACCENT, INK, QUIET, house_style

SEEDS = ("base", "seed-1", "seed-2")
Found = dict[str, dict[str, Any]]


def main() -> None:
    """Print the table and draw."""
    folder = Path(sys.argv[1])
    results: Found = json.loads((folder / "experiments.json").read_text())
    trained = {name: results[name] for name in EXPERIMENTS if name in results}
    timed: Found = json.loads((folder / "latency.json").read_text())
    write = sys.stdout.write
    write("| | what differs | rel ↓ | δ1 ↑ | rmse m ↓ | × yolo26n-depth's time | GFLOP | int8 / other operations |\n")
    write("| --- | --- | --: | --: | --: | --: | --: | --: |\n")
    for name, result in trained.items():
        write(f"{_row(name, result, timed)}\n")
    _plot(trained).savefig(folder / "experiments.svg")


def _row(name: str, result: dict[str, Any], timed: Found) -> str:
    accuracy = f"{result['rel']:.3f} | {result['delta1']:.3f} | {result['rmse']:.3f}"
    same = name if name in timed else "base" if is_timed_as_base(name) else ""
    time = timed.get(same)
    if time is None:
        cost = "– | – | –"
    elif name == same:
        cost = f"{ratio_of(time)} | {time['gflop']:.2f} | {time['int8']} / {time['others']}"
    else:
        cost = "as base | |"
    return f"| `{name}` | {EXPERIMENTS[name].tells} | {accuracy} | {cost} |"


def ratio_of(time: dict[str, Any]) -> str:
    """How many times as long as the reference's a frame takes: the median of rounds, 10th to 90th percentile."""
    ratio = time["of_reference"]
    return f"{ratio['p50']:.2f} ({ratio['p10']:.2f} to {ratio['p90']:.2f})"


def _plot(trained: Found) -> Figure:
    with house_style():
        figure = Figure(figsize=(6.4, 0.6 + 0.24 * len(trained)), layout="constrained")
        for index, (measure, title) in enumerate({"rel": "rel ↓", "delta1": "δ1 ↑"}.items(), 1):
            axes = figure.add_subplot(1, 2, index)
            band = [trained[name][measure] for name in SEEDS if name in trained]
            axes.axvspan(min(band), max(band), color=QUIET, alpha=0.2, linewidth=0)
            for row, (name, result) in enumerate(trained.items()):
                axes.plot([result[measure]], [-row], "o", color=INK if name in SEEDS else ACCENT, markersize=5)
            axes.set_yticks(range(0, -len(trained), -1), trained if index == 1 else [""] * len(trained))
            axes.set_xlabel(title)
            axes.grid(axis="y", alpha=0.2)
    return figure


if __name__ == "__main__":
    main()
