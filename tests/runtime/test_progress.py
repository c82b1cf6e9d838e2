"""What a command says of its progress without a terminal."""

import io
import json
import logging

import pytest
from rich.console import Console

from clipdepth.cli.logs import JsonFormatter
from clipdepth.cli.progress import LongProgress, duration, follow


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def plain() -> Console:
    return Console(file=io.StringIO(), width=40)


def test_a_line_a_minute_with_what_is_done_the_rate_and_the_time_left() -> None:
    clock, console = Clock(), plain()
    with LongProgress(console=console, get_time=clock) as progress:
        bar = progress.add_task("training", total=1000, completed=400, note="")
        for step in range(401, 581):
            clock.now += 1
            progress.update(bar, completed=step, note=f"loss {step / 1000:.3f}")
    assert lines(console) == [
        "training: 460 of 1,000, loss 0.460, 1/s, 9 min left",
        "training: 520 of 1,000, loss 0.520, 1/s, 8 min left",
        "training: 580 of 1,000, loss 0.580, 1/s, 7 min left",
    ]


def test_what_is_over_within_a_minute_says_nothing() -> None:
    clock, console = Clock(), plain()
    with LongProgress(console=console, get_time=clock) as progress:
        for _ in progress.track(range(59), description="short"):
            clock.now += 1
    assert lines(console) == []


def test_going_through_items_says_so_too_and_an_unknown_end_has_no_time_left() -> None:
    clock, console = Clock(), plain()
    with LongProgress(console=console, get_time=clock) as progress:
        for _ in progress.track((number for number in range(3)), description="reading"):
            clock.now += 90
        for _ in progress.track(range(2), description="writing"):
            clock.now += 120
    assert lines(console)[0] == "reading: 1, 0.011/s"
    assert lines(console)[3] == "writing: 1 of 2, 0.0083/s, 2 min left"


def test_amounts_are_written_as_told() -> None:
    clock, console = Clock(), plain()
    with LongProgress(console=console, get_time=clock, amount=lambda size: f"{size / 1e6:.0f} MB") as progress:
        bar = progress.add_task("download", total=3e9)
        clock.now += 60
        progress.advance(bar, 6e8)
    assert lines(console) == ["download: 600 MB of 3000 MB, 10 MB/s, 4 min left"]


def test_hidden_and_quiet_ones_say_nothing() -> None:
    clock = Clock()
    for console, hidden in ((plain(), True), (Console(file=io.StringIO(), quiet=True), False)):
        with LongProgress(console=console, get_time=clock, disable=hidden) as progress:
            bar = progress.add_task("training", total=10)
            clock.now += 100
            progress.advance(bar)
        assert lines(console) == []


def test_in_json_it_is_an_event(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("CLIPDEPTH_LOG", "json")
    caplog.set_level(logging.INFO, "clipdepth")
    clock, console = Clock(), plain()
    with LongProgress(console=console, get_time=clock) as progress:
        bar = progress.add_task("training", total=100, note="loss 1")
        clock.now += 60
        progress.advance(bar, 30)
    assert lines(console) == []
    (event,) = (json.loads(JsonFormatter().format(record)) for record in caplog.records)
    found = {name: event[name] for name in ("message", "what", "note", "done", "total", "a_second", "seconds_left")}
    assert found == {
        "message": "progress",
        "what": "training",
        "note": "loss 1",
        "done": 30,
        "total": 100,
        "a_second": 0.5,
        "seconds_left": 140,
    }


def test_a_terminal_has_a_bar() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    assert list(follow(range(3), "counting", console)) == [0, 1, 2]
    assert isinstance(console.file, io.StringIO)
    assert "3/3" in console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.0, "59 s"), (61.0, "1 min"), (3599.0, "1 h 0 min"), (7800.0, "2 h 10 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
