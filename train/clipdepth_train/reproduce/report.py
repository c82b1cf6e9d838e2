"""A reproduced table as JSON and Markdown: measured, published and the difference."""

from dataclasses import dataclass
from typing import Any

from clipdepth_train.recipes import RECIPES
from clipdepth_train.reproduce.published import TABLES, Row

HEADINGS = {
    "delta1": "δ1 ↑",
    "delta2": "δ2 ↑",
    "delta3": "δ3 ↑",
    "rel": "rel ↓",
    "log10": "log10 ↓",
    "rmse_log": "rmse_log ↓",
    "rmse": "rmse m ↓",
}

LEGEND = (
    "Measured figures are bold; the paper's figures and epochs are in brackets; – is not measured. "
    "Training is the time spent in its steps."
)


@dataclass(frozen=True)
class Measured:
    """What a row's run reports."""

    metrics: dict[str, float]
    size: tuple[int, int]
    """Height and width of the model's input."""
    epochs: int
    seconds: float
    parameters: int
    flops: int


def table_report(table: str, measured: dict[str, Measured], missing: dict[str, str]) -> list[dict[str, Any]]:
    """The rows of `table` by what was measured for each recipe ('random' for the lower bound), or why it was not."""
    return [_row_report(row, measured.get(_key(row)), missing.get(_key(row), "")) for row in TABLES[table]]


def _key(row: Row) -> str:
    return "random" if row.computed else row.recipe


def _row_report(row: Row, measured: Measured | None, reason: str) -> dict[str, Any]:
    metrics = measured.metrics if measured else None
    return {
        "model": row.label,
        "supervision": row.supervision,
        "recipe": row.recipe or None,
        "quoted": row.quoted,
        "published": row.published or None,
        "measured": metrics,
        "difference": {name: metrics[name] - value for name, value in row.published.items()} if metrics else None,
        "input": list(measured.size) if measured else None,
        "epochs": measured.epochs if measured else None,
        "paper_epochs": RECIPES[row.recipe].epochs if row.recipe else None,
        "training_seconds": measured.seconds if measured else None,
        "parameters": measured.parameters if measured else None,
        "flops": measured.flops if measured else None,
        "missing": reason or None,
    }


def markdown(table: str, title: str, facts: list[str], rows: list[dict[str, Any]]) -> str:
    """The report as a page: `facts` are sentences about how it was made."""
    columns = [name for name in HEADINGS if name != ("log10" if table == "table2" else "rmse_log")]
    head = ["model", "supervision", *(HEADINGS[name] for name in columns), "input", "epochs", "training"]
    lines = [f"# {title}", "", *(f"- {fact}" for fact in facts), "", LEGEND, ""]
    lines += ["| " + " | ".join(head) + " |", "| --- | --- |" + " --: |" * (len(head) - 2)]
    lines += ["| " + " | ".join(_cells(row, columns)) + " |" for row in rows]
    return "\n".join([*lines, "", *_not_measured(rows)])


def _cells(row: dict[str, Any], columns: list[str]) -> list[str]:
    label = row["model"] + (" (quoted)" if row["quoted"] else "")
    return [label, row["supervision"], *(_cell(row, name) for name in columns), *_training(row)]


def _cell(row: dict[str, Any], name: str) -> str:
    shown = f"**{row['measured'][name]:.3f}**" if row["measured"] else "–"
    published = (row["published"] or {}).get(name)
    return shown if published is None else f"{shown} ({published:.3f})"


def _training(row: dict[str, Any]) -> list[str]:
    """Input, epochs and seconds of training steps."""
    if not row["measured"]:
        return ["–", f"– ({row['paper_epochs']})" if row["paper_epochs"] else "–", "–"]
    size = "×".join(map(str, row["input"]))
    if not row["epochs"]:
        return [size, "–", "–"]
    return [size, f"{row['epochs']} ({row['paper_epochs']})", f"{row['training_seconds']:,.0f} s"]


def _not_measured(rows: list[dict[str, Any]]) -> list[str]:
    """A list of the rows that were left out, those with one reason together."""
    left_out: dict[str, list[str]] = {}
    for row in rows:
        if row["missing"]:
            left_out.setdefault(row["missing"], []).append(f"{row['model']}, {row['supervision']}")
    if not left_out:
        return []
    # What a network library says may look like HTML.
    told = [f"- {'; '.join(names)}: {reason}".replace("<", "\\<") for reason, names in left_out.items()]
    return ["Not measured:", "", *told, ""]
