"""A table that is measured run by run, and written after each of them."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from clipdepth.bundle.metrics import mean_metrics
from clipdepth.files.atomic import write_json, write_text
from clipdepth_train.data.loader import open_set
from clipdepth_train.evaluation import evaluate, random_depth
from clipdepth_train.named_data import measured_data
from clipdepth_train.recipe import Recipe, trunk_of
from clipdepth_train.reproduce.plan import PlannedRun
from clipdepth_train.reproduce.published import TABLES
from clipdepth_train.reproduce.report import Measured, markdown, table_report

NOT_YET = "not yet"


class MeasuredTable:
    """What has been measured of `table`, and why the rest was not.

    It is written to `out` as TABLE.md and TABLE.json after each row, from the first measured one on. `command` is what
    the user typed; `segments` names SAM's masks, or is empty.
    """

    def __init__(self, table: str, out: Path, command: str, segments: str) -> None:
        self.table, self.out, self.command = table, out, command
        self._facts: dict[str, Any] = {"clip": None, "sam": segments or None}
        self._measured: dict[str, Measured] = {}
        self._missing = {row.recipe: NOT_YET for row in TABLES[table] if row.recipe}

    def add(self, run: PlannedRun, report: dict[str, Any]) -> None:
        """Take in the report of a run, as `Trainer.run` gives it, and write the table as it stands."""
        size = run.recipe.frames.height, run.recipe.frames.width
        self._measured[run.name] = Measured(
            report["metrics"],
            size,
            run.recipe.epochs,
            report["training_seconds"],
            report["parameters"],
            report["flops"],
        )
        self._missing.pop(run.name, None)
        if any(row.computed for row in TABLES[self.table]) and "random" not in self._measured:
            self._measured["random"] = _random(run.recipe)
        self._facts |= _facts(run.recipe, report)
        self._write()

    def leave_out(self, name: str, reason: str) -> None:
        """Note why the run of the recipe `name` was not made, and write the table as it stands."""
        self._missing[name] = reason
        if self._measured:
            self._write()

    def _write(self) -> None:
        rows = table_report(self.table, self._measured, self._missing)
        write_json(self.out / f"{self.table}.json", {"command": self.command, **self._facts, "rows": rows})
        title = f"Table {self.table.removeprefix('table')} on {self._facts['data']}"
        sentences = [f"Made by `{self.command}`.", *_sentences(self._facts)]
        write_text(self.out / f"{self.table}.md", markdown(self.table, title, sentences, rows))


def _random(recipe: Recipe) -> Measured:
    tests = open_set(measured_data(recipe.data), "test", recipe.frames)
    metrics = mean_metrics(
        evaluate(random_depth(recipe.frames.max_depth), tests, recipe.frames, "all", range(len(tests)))
    )
    return Measured(asdict(metrics), (recipe.frames.height, recipe.frames.width), 0, 0.0, 0, 0)


def _facts(recipe: Recipe, report: dict[str, Any]) -> dict[str, Any]:
    clip = trunk_of(recipe.model)
    return {
        "data": Path(measured_data(recipe.data)).name,
        "training_frames": report["training_frames"],
        "test_frames": report["test_frames"],
        "crop": report["crop"],
        "mirrored": report["mirrored"],
        "mixed_precision": recipe.mixed_precision,
        "device": report["device"],
        "processes": report["processes"],
        **({"clip": asdict(clip)} if clip else {}),
    }


def _sentences(facts: dict[str, Any]) -> list[str]:
    clip, sam = facts["clip"], facts["sam"]
    used = f"{clip['name']}, weights {clip['weights']}" if clip else "in none of the measured rows"
    return [
        f"Data: {facts['data']}, {facts['training_frames']} training and {facts['test_frames']} test frames.",
        "The published figures are for NYU Depth v2, 795 training and 654 test frames, at 416×544, with OpenAI's and "
        "Meta's weights.",
        f"CLIP: {used}. SAM: {sam or 'none'}.",
        "Evaluated on all pixels that the model sees, "
        + ("averaged with the mirrored picture, nothing aligned." if facts["mirrored"] else "nothing aligned."),
        f"Device: {facts['device']}, {facts['processes']} process(es), mixed precision {facts['mixed_precision']}.",
    ]
