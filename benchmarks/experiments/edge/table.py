"""What `train.py` and, where it was run too, `latency.py` found, as a Markdown table.

python benchmarks/experiments/edge/table.py benchmarks/results/edge > table.md
"""

import json
import sys
from pathlib import Path
from typing import Any

from edge_experiments import EXPERIMENTS, is_timed_as_base

Found = dict[str, dict[str, Any]]


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1])
    results: Found = json.loads((folder / "experiments.json").read_text())
    trained = {name: results[name] for name in EXPERIMENTS if name in results}
    times = folder / "latency.json"
    timed: Found = json.loads(times.read_text()) if times.is_file() else {}
    write = sys.stdout.write
    write("| | what differs | rel ↓ | δ1 ↑ | rmse m ↓ | × yolo26n-depth's time | GFLOP | int8 / other operations |\n")
    write("| --- | --- | --: | --: | --: | --: | --: | --: |\n")
    for name, result in trained.items():
        write(f"{_row(name, result, timed)}\n")


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


if __name__ == "__main__":
    main()
