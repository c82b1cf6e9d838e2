"""Plots of a scaling run: a figure an axis, latency beside memory, and frames a second where cameras are added."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clipdepth.files.atomic import atomic_file
from clipdepth_bench.scaling.record import AXES, Axis, Measured, Scaling

_LABELS = {
    "size": "input size, pixels (height × width)",
    "batch": "frames a call",
    "threads": "threads",
    "cameras": "cameras",
}
_DPI = 150
_METADATA: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}}
"""By suffix; a date would make every file another one."""


def draw_scaling(scaling: Scaling, folder: Path) -> list[Path]:
    """Write `AXIS.png` and `AXIS.svg` for each axis that has samples; return their paths."""
    written = []
    for axis in AXES:
        found = [measured for measured in scaling.measured if measured.point.axis == axis and measured.samples]
        if found:
            figure = _figure(axis, found, scaling)
            for suffix in _METADATA:
                path = folder / f"{axis}.{suffix}"
                with atomic_file(path) as partial:
                    figure.savefig(partial, dpi=_DPI, format=suffix, metadata=_METADATA[suffix])
                written.append(path)
    return written


def _figure(axis: Axis, found: list[Measured], scaling: Scaling) -> Figure:
    panels = _panels(axis, found, scaling)
    figure = Figure(figsize=(4.5 * len(panels), 3.6), layout="constrained")
    figure.suptitle(f"{scaling.bundle}, {scaling.engine}, {scaling.environment.cpu}", fontsize="medium")
    for number, (title, values) in enumerate(panels.items()):
        plot = figure.add_subplot(1, len(panels), number + 1)
        for precision in dict.fromkeys(measured.point.precision for measured in found):
            _draw_line(plot, precision, [m for m in found if m.point.precision == precision], values)
        _label(plot, axis, found, title)
    return figure


def _panels(axis: Axis, found: list[Measured], scaling: Scaling) -> dict[str, Any]:
    """From a title to what takes its value of a sample."""
    latency = "capture to depth, p50, ms" if axis == "cameras" else "a call, p50, ms"
    panels: dict[str, Any] = {latency: lambda sample: sample.latency_ms.p50}
    if axis == "cameras":
        panels[f"frames/s, of {scaling.camera_fps:g} a camera"] = lambda sample: sample.fps
    elif axis == "batch":
        panels["frames/s"] = lambda sample: sample.fps
    panels["peak memory of the process, MB"] = lambda sample: sample.host_mb
    if any(sample.device_mb is not None for measured in found for sample in measured.samples):
        panels["GPU memory, MB"] = lambda sample: sample.device_mb or 0.0
    return panels


def _draw_line(plot: Any, precision: str, line: list[Measured], value: Any) -> None:
    """The median over rounds, and a band from the smallest to the largest."""
    line = sorted(line, key=lambda measured: measured.point.value)
    places = [measured.point.value for measured in line]
    rounds = [[value(sample) for sample in measured.samples] for measured in line]
    (drawn,) = plot.plot(places, [float(np.median(values)) for values in rounds], marker="o", label=precision)
    plot.fill_between(places, list(map(min, rounds)), list(map(max, rounds)), alpha=0.2, color=drawn.get_color())


def _label(plot: Any, axis: Axis, found: list[Measured], title: str) -> None:
    ticks = {measured.point.value: measured.point.label for measured in found}
    plot.set_xticks(list(ticks), list(ticks.values()))
    plot.set_xlabel(_LABELS[axis])
    plot.set_title(title, fontsize="small")
    plot.set_ylim(bottom=0)
    plot.grid(alpha=0.3)
    plot.legend(fontsize="small")
