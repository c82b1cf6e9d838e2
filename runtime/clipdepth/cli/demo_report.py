"""The demo's report as a page."""

from typing import Any

METRICS = {"rel": "rel ↓", "rmse": "rmse (m) ↓", "delta1": "δ1 ↑", "delta2": "δ2 ↑", "delta3": "δ3 ↑"}
VIDEO = '<video src="depth.mp4" width="960" controls muted loop></video>'
"""Markdown passes HTML on; a viewer that does not leaves the file's name in the text below."""


def markdown(report: dict[str, Any]) -> str:
    """The report of `clipdepth demo` as Markdown; its pictures lie beside it."""
    machine = report["environment"]
    agreement, stages = report["agreement"], report["stream"]["latency_ms"]
    return f"""# clipdepth demo

{report["seconds"] / 60:.1f} minutes on {machine["cpu"]}, {machine["threads"]} threads, {machine["system"]}.

## The model in the box, on real frames

`edge-nyu` on test frames of NYU Depth v2 that its bundle carries: the frame, the depth that a Kinect measured, and what
each engine here answers. {report["frames_seconds"]:.0f} s, loading included.

![frame, measured depth and each engine's depth](frames.png)

{_frames(report)}

## A model of rooms, made from it

The same network, trained on for {_step(report, "train"):.0f} s on {report["training_frames"]} rendered frames, and
measured on {report["test_frames"]} frames of rooms it has not seen.

{_accuracy(report)}

rel is {report["rel_below_baseline"]:.0%} below that of the predictor that always answers the training median.

![image, ground truth, prediction, error](run/predictions.png)

## Agreement with PyTorch

The exported graph differs from PyTorch's depth by {agreement["mean"]:.1e} in relative terms on average
({agreement["largest"]:.1e} at most) over {agreement["frames"]} test frames; {agreement["tolerance"]["mean"]:.0e} is
allowed.

## Latency

{_latency(report)}

{VIDEO}

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


def _frames(report: dict[str, Any]) -> str:
    rows = [
        [row["engine"], row["precision"], row["device"], f"{row['milliseconds']:.1f}", f"{row['difference']:.1e}"]
        for row in report["frames"]
    ]
    return _table(["engine", "precision", "device", "ms a frame", "mean difference to PyTorch"], rows)


def _steps(report: dict[str, Any]) -> str:
    rows = [[f"`clipdepth {' '.join(step['arguments'])}`", f"{step['seconds']:.0f}"] for step in report["steps"]]
    return _table(["command", "seconds"], rows)


def _table(heading: list[str], rows: list[list[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(heading) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heading, rule, *rows])
