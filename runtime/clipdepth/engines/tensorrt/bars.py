"""A build's progress on the terminal: a bar for every phase that is under way, those inside others indented."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class ProgressBars:
    """A `BuildProgress` that draws while it is entered; on what is no terminal it draws nothing."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._depths: dict[str, int] = {}

    def __enter__(self) -> "ProgressBars":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """See `BuildProgress.start`."""
        depth = self._depths.get(parent, -1) + 1 if parent else 0
        self._depths[phase] = depth
        self._tasks[phase] = self._progress.add_task("  " * depth + phase, total=steps)

    def advance(self, phase: str, done: int) -> None:
        """See `BuildProgress.advance`."""
        if phase in self._tasks:
            self._progress.update(self._tasks[phase], completed=done)

    def finish(self, phase: str) -> None:
        """See `BuildProgress.finish`."""
        if phase in self._tasks:
            self._progress.remove_task(self._tasks.pop(phase))
