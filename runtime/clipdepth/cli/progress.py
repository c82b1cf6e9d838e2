"""How far a command is: bars in a terminal, and a line a minute where there is none."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from clipdepth.cli.logs import in_json, log_event

Item = TypeVar("Item")

EVERY_S = 60.0
"""Seconds between two lines."""


def counting_columns() -> tuple[ProgressColumn, ...]:
    """The columns of a bar that counts what is done: what, the bar, how many of how many, and the time that is left."""
    return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()


class LongProgress(Progress):
    """Rich's progress, which shows nothing where `console` is no terminal: there it writes a line a minute.

    A line has the task's description, its field `note` where it has one, how much is done, the rate and the time left;
    `amount` writes a number of what is counted. With JSON logs it is the event `progress`. A quiet console gets none.
    """

    def __init__(
        self,
        *columns: ProgressColumn,
        console: Console,
        transient: bool = False,
        disable: bool = False,
        amount: Callable[[float], str] = "{:,.0f}".format,
        **options: Any,
    ) -> None:
        bars = console.is_terminal and not in_json()
        super().__init__(
            *(columns or counting_columns()),
            console=console,
            transient=transient,
            disable=disable or not bars,
            auto_refresh=bars,
            **options,
        )
        self._writes = not (disable or bars)
        self._amount = amount
        self._said = dict[TaskID, tuple[float, float]]()

    def stop(self) -> None:
        """See Progress."""
        if not self.disable:  # else versions before 14.3 write an empty line
            super().stop()

    def add_task(self, description: str, *given: Any, **fields: Any) -> TaskID:
        """See Progress."""
        number = super().add_task(description, *given, **fields)
        self._said[number] = self.get_time(), self._tasks[number].completed
        return number

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """See Progress."""
        super().update(task_id, **changes)
        self._say(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """See Progress."""
        super().advance(task_id, advance)
        self._say(task_id)

    def _say(self, number: TaskID) -> None:
        then, before = self._said[number]
        now, task = self.get_time(), self._tasks[number]
        if not self._writes or now - then < EVERY_S:
            return
        self._said[number] = now, task.completed
        rate = (task.completed - before) / (now - then)
        left = (task.total - task.completed) / rate if task.total is not None and rate > 0 else None
        if in_json():
            done = {"done": task.completed, "total": task.total, "a_second": rate, "seconds_left": left}
            log_event("progress", what=task.description, note=task.fields.get("note", ""), **done)
        else:
            self.console.print(self._line(task, rate, left), markup=False, highlight=False, soft_wrap=True)

    def _line(self, task: Task, rate: float, left: float | None) -> str:
        of = "" if task.total is None else f" of {self._amount(task.total)}"
        note = task.fields.get("note")
        parts = [f"{task.description}: {self._amount(task.completed)}{of}", *([note] if note else [])]
        # A rate below 10 by its own digits, since a step may take seconds.
        parts.append(f"{rate:.2g}/s" if rate < 10 else f"{self._amount(rate)}/s")
        return ", ".join([*parts, *([f"{duration(left)} left"] if left is not None else [])])


def duration(seconds: float) -> str:
    """A time for people: '40 s', '5 min', '2 h 10 min'."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def bytes_for_people(size: float) -> str:
    """A number of bytes, such as '1.2 GB'."""
    return decimal(int(size))


def follow(items: Iterable[Item], description: str, console: Console | None = None) -> Iterator[Item]:
    """Go through `items` with a bar on `console`, stderr where none is given."""
    with LongProgress(console=console or Console(stderr=True)) as progress:
        yield from progress.track(items, description=description)
