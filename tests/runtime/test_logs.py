import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from clipdepth.cli.logs import JsonFormatter

Raised = tuple[type[BaseException], BaseException, TracebackType | None]


@dataclass(frozen=True)
class Box:
    side: float


def record(text: str, *values: Any, error: Raised | None = None, **fields: Any) -> dict[str, Any]:
    logger = logging.getLogger("clipdepth.here")
    made = logger.makeRecord(logger.name, logging.WARNING, "f.py", 7, text, values, error, "f", fields)
    line = JsonFormatter().format(made)
    assert "\n" not in line
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_record_is_its_message_and_its_fields() -> None:
    line = record("lost %s\nfor %d s", "cam", 3, source="cam", box=Box(float("nan")), path=Path("a/b"))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "clipdepth.here",
        "message": "lost cam\nfor 3 s",
        "source": "cam",
        "box": {"side": None},
        "path": "a/b",
    }


def test_a_name_that_is_no_utf_8_is_logged() -> None:
    assert record("lost %s", "caf\udce9", source="caf\udce9") | {"time": ""} == {
        "time": "",
        "level": "warning",
        "logger": "clipdepth.here",
        "message": "lost caf\udce9",
        "source": "caf\udce9",
    }


def test_an_exception_keeps_its_traceback() -> None:
    try:
        raise ValueError("odd")
    except ValueError as error:
        raised = type(error), error, sys.exc_info()[2]
    assert "ValueError: odd" in record("failed", error=raised)["traceback"]


def test_what_other_libraries_keep_in_a_record_stays_out() -> None:
    line = record("lost", source="cam", _another_librarys=1)
    assert set(line) == {"time", "level", "logger", "message", "source"}
