"""A table that is measured run by run, and written after each of them."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from clipdepth.atomic import write_json, write_text
from clipdepth.metrics import mean_metrics
from clipdepth_train.data.loader import open_set
from clipdepth_train.evaluation import evaluate, random_depth
from clipdepth_train.recipe import Recipe, trunk_of
from clipdepth_train.reproduce.plan import PlannedRun, needs_sam
from clipdepth_train.reproduce.published import TABLES
from clipdepth_train.reproduce.report import Measured, markdown, table_report

NO_SAM = "no SAM: give --sam-weights"


class MeasuredTable:
    """What has been measured of `table`, written to `out` as TABLE.md and TABLE.json whenever a run is added.

    `command` is what the user typed. Rows with SAM stay empty without `segments`.
    """

    def __init__(self, table: str, out: Path, command: str, segments: str) -> None:
        self.table, self.out, self.command, self.segments = table, out, command, segments
        self._measured: dict[str, Measured] = {}

    def add(self, run: PlannedRun, report: dict[str, Any]) -> None:
        """Take in the report of a run, as `Trainer.run` gives it, and write the table as it stands."""
        self._measured[run.name] = Measured(
            report["metrics"], run.recipe.epochs, report["training_seconds"], report["parameters"], report["flops"]
        )
        if any(row.computed for row in TABLES[self.table]) and "random" not in self._measured:
            self._measured["random"] = _random(run.recipe)
        facts = _facts(run.recipe, report, self.segments)
        rows = table_report(self.table, self._measured, self._missing())
        write_json(self.out / f"{self.table}.json", {"command": self.command, **facts, "rows": rows})
        title = f"Table {self.table.removeprefix('table')} on {facts['data']}"
        sentences = [f"Made by `{self.command}`.", *_sentences(facts)]
        write_text(self.out / f"{self.table}.md", markdown(self.table, title, sentences, rows))

    def _missing(self) -> dict[str, str]:
        recipes = [row.recipe for row in TABLES[self.table] if row.recipe]
        return {} if self.segments else {name: NO_SAM for name in recipes if needs_sam(name)}


def _random(recipe: Recipe) -> Measured:
    tests = open_set(recipe.data, "test", recipe.frames)
    metrics = mean_metrics(evaluate(random_depth(), tests, recipe.frames, "all", range(len(tests))))
    return Measured(asdict(metrics), 0, 0.0, 0, 0)


def _facts(recipe: Recipe, report: dict[str, Any], segments: str) -> dict[str, Any]:
    clip = trunk_of(recipe.model)
    return {
        "data": Path(recipe.data).name,
        "training_frames": report["training_frames"],
        "test_frames": report["test_frames"],
        "input": [recipe.frames.height, recipe.frames.width],
        "clip": asdict(clip) if clip else None,
        "sam": segments or None,
        "mixed_precision": recipe.mixed_precision,
        "device": report["device"],
        "processes": report["processes"],
    }


def _sentences(facts: dict[str, Any]) -> list[str]:
    height, width = facts["input"]
    clip, sam = facts["clip"], facts["sam"]
    return [
        f"Data: {facts['data']}, {facts['training_frames']} training and {facts['test_frames']} test frames, input "
        f"{height}×{width}. The published figures are for NYU Depth v2 at 416×544 with OpenAI's and Meta's weights.",
        f"CLIP: {clip['name']}, weights {clip['weights']}. " if clip else "No CLIP. ",
        f"SAM: {sam}." if sam else "SAM: none.",
        f"Device: {facts['device']}, {facts['processes']} process(es), mixed precision {facts['mixed_precision']}.",
    ]
