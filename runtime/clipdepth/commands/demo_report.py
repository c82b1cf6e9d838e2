"""The demo's report as a page."""

from typing import Any

METRICS = {"rel": "rel ↓", "rmse": "rmse (m) ↓", "delta1": "δ1 ↑", "delta2": "δ2 ↑", "delta3": "δ3 ↑"}


def markdown(report: dict[str, Any]) -> str:
    """The report of `clipdepth demo` as Markdown; its pictures lie beside it."""
    machine = report["environment"]
    agreement, stages = report["agreement"], report["stream"]["latency_ms"]
    return f"""# clipdepth demo

A small `edge` model, trained for {_step(report, "train"):.0f} s on {report["training_frames"]} rendered frames and
measured on {report["test_frames"]} frames of rooms it has not seen. No pretrained weights, no real photographs: this
shows that the line works end to end, not how good a model can be.

Machine: {machine["cpu"]}, {machine["threads"]} threads, {machine["system"]}.

## Accuracy

{_accuracy(report)}

rel is {report["rel_below_baseline"]:.0%} below that of the predictor that always answers the training median.

![image, ground truth, prediction, error](run/predictions.png)

## Agreement with PyTorch

The exported graph differs from PyTorch's depth by {agreement["mean"]:.1e} in relative terms on average
({agreement["largest"]:.1e} at most) over {agreement["frames"]} test frames; {agreement["tolerance"]["mean"]:.0e} is
allowed.

## Latency

{_latency(report)}

The clip `depth.mp4` ({report["stream"]["frames"]} frames, 480×640): {stages["total"]["p50"]:.1f} ms a frame from
picture to depth (p50), of which the engine takes {stages["engine"]["p50"]:.1f} ms.

## Steps

{_steps(report)}
"""


def _step(report: dict[str, Any], name: str) -> float:
    return float(next(step["seconds"] for step in report["steps"] if step["name"] == name))


def _accuracy(report: dict[str, Any]) -> str:
    rows = [[name, *(f"{metrics[key]:.3f}" for key in METRICS)] for name, metrics in report["metrics"].items()]
    return _table(["", *METRICS.values()], rows)


def _latency(report: dict[str, Any]) -> str:
    rows = []
    for row in report["bench"]:
        latency, speedup = row["latency_ms"], row["speedup"]
        times = [f"{latency[key]:.1f}" for key in ("p50", "p90", "p99", "max")] if latency else ["–"] * 4
        ratio = f"{speedup['p50']:.2f} ({speedup['p10']:.2f} to {speedup['p90']:.2f})" if speedup else "–"
        count = str(latency["n"]) if latency else "–"
        rows.append([f"{row['name']} {row['precision']}", *times, count, ratio, row["verdict"]])
    return _table(["engine", "p50 ms", "p90", "p99", "max", "n", "× PyTorch eager (p10 to p90)", "depth"], rows)


def _steps(report: dict[str, Any]) -> str:
    rows = [[f"`clipdepth {' '.join(step['arguments'])}`", f"{step['seconds']:.0f}"] for step in report["steps"]]
    return _table(["command", "seconds"], rows)


def _table(heading: list[str], rows: list[list[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(heading) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heading, rule, *rows])
