"""A reproduced table as JSON and Markdown: measured, published and the difference."""

from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Measured:
    """What a row's run reports."""

    metrics: dict[str, float]
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
        "epochs": measured.epochs if measured else None,
        "training_seconds": measured.seconds if measured else None,
        "parameters": measured.parameters if measured else None,
        "flops": measured.flops if measured else None,
        "missing": reason or None,
    }


def markdown(table: str, title: str, facts: list[str], rows: list[dict[str, Any]]) -> str:
    """The report as a page: `facts` are sentences about how it was made."""
    columns = [name for name in HEADINGS if name != ("log10" if table == "table2" else "rmse_log")]
    head = ["model", "supervision", *(HEADINGS[name] for name in columns), "training"]
    lines = [f"# {title}", "", *(f"- {fact}" for fact in facts), ""]
    lines += ["Each cell: measured, then published and the difference in brackets; – is not measured.", ""]
    lines += ["| " + " | ".join(head) + " |", "| --- | --- |" + " --: |" * (len(head) - 2)]
    lines += ["| " + " | ".join(_cells(row, columns)) + " |" for row in rows]
    return "\n".join([*lines, ""])


def _cells(row: dict[str, Any], columns: list[str]) -> list[str]:
    label = row["model"] + (" (quoted)" if row["quoted"] else "")
    return [label, row["supervision"], *(_cell(row, name) for name in columns), _training(row)]


def _cell(row: dict[str, Any], name: str) -> str:
    measured = row["measured"][name] if row["measured"] else None
    published = (row["published"] or {}).get(name)
    shown = "–" if measured is None else f"{measured:.3f}"
    if published is None:
        return shown
    if measured is None:
        return f"{shown} ({published:.3f})"
    return f"{shown} ({published:.3f}, {measured - published:+.3f})".replace("-", "−")


def _training(row: dict[str, Any]) -> str:
    if row["missing"]:
        return str(row["missing"])
    if row["training_seconds"] is None or not row["epochs"]:
        return ""
    return f"{row['epochs']} epochs, {row['training_seconds'] / 60:.1f} min"
