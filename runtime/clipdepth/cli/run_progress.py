"""How far a run is, on stderr."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from clipdepth.cli.progress import LongProgress
from clipdepth.sources import Source


@contextmanager
def run_progress(console: Console, sources: Sequence[Source], limit: int | None) -> Iterator["RunProgress"]:
    """A bar: frames, frames a second, and the time that remains where the length is known."""
    columns = [
        TextColumn("streaming"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    ]
    total = expected_frames(sources, limit)
    # What has no end says nothing a minute: a service has its logs and metrics.
    hidden = total is None and not console.is_terminal
    with LongProgress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield RunProgress(progress, progress.add_task("streaming", total=total), sources, limit)


@dataclass(frozen=True)
class RunProgress:
    """The bar of a run of `sources`, each up to `limit` frames."""

    bar: LongProgress
    task: TaskID
    sources: Sequence[Source]
    limit: int | None

    def show(self, frames: int) -> None:
        """Show how many frames were processed. A source that is opened late tells its length then."""
        self.bar.update(self.task, completed=frames, total=expected_frames(self.sources, self.limit))


def expected_frames(sources: Sequence[Source], limit: int | None) -> int | None:
    """How many frames will come if all goes well; None where that is not known."""
    lengths = [source.frame_count if limit is None else min(source.frame_count or limit, limit) for source in sources]
    known = [length for length in lengths if length is not None]
    return sum(known) if len(known) == len(lengths) else None


class _RateColumn(ProgressColumn):
    """Frames a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} frames/s")
