"""Logs on stderr: warnings in text for people, or every event as a line of JSON for programs that gather them."""

import json
import logging
import os
import sys
from datetime import datetime, timezone
from typing import Any

from clipdepth.errors import UsageError
from clipdepth.files.foreign import shown

VARIABLE = "CLIPDEPTH_LOG"
"""The environment variable that chooses: text (the default) or json."""
_LOG = logging.getLogger("clipdepth")
_OWN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "taskName"}


def set_up_logging() -> None:
    """Send logs to stderr as the environment asks. Raises UsageError for a form that is neither text nor json."""
    form = os.environ.get(VARIABLE) or "text"
    if form not in ("text", "json"):
        raise UsageError(f"{VARIABLE} is '{form}'; set it to text or json")
    handler = _StderrHandler()
    handler.setFormatter(JsonFormatter() if in_json() else TextFormatter())
    logging.basicConfig(handlers=[handler])
    _LOG.setLevel(logging.INFO if in_json() else logging.NOTSET)


def in_json() -> bool:
    """Whether logs are JSON, and nothing else may be written between them."""
    return os.environ.get(VARIABLE) == "json"


def log_event(name: str, **fields: Any) -> None:
    """Log what programs want to know and people see elsewhere; `fields` are JSON values, dataclasses or paths."""
    _LOG.info(name, extra=fields)


def log_failure(message: str) -> None:
    """Say, in a line, why the command ends."""
    if in_json():
        _LOG.error("%s", message)
    else:
        sys.stderr.write(f"clipdepth: error: {shown(message)}\n")


class TextFormatter(logging.Formatter):
    """A record as a line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`; only a traceback has more lines."""
        line = f"{record.levelname}: {shown(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time (UTC), level, logger, message, and the fields given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            # What starts with _ is another library's own: Ray stamps every record.
            **{name: value for name, value in vars(record).items() if name not in _OWN and not name.startswith("_")},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        import msgspec

        try:
            return msgspec.json.encode(line, enc_hook=str).decode()
        except UnicodeEncodeError:  # a file's name that is no UTF-8
            return json.dumps(line, default=str)


class _StderrHandler(logging.Handler):
    """Logs to whatever stderr is at the time, so that a progress bar can keep the message off its line."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")
