"""How far a command is."""

from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn


def counting_columns() -> tuple[ProgressColumn, ...]:
    """The columns of a bar that counts what is done: what, the bar, how many of how many, and the time that is left."""
    return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
