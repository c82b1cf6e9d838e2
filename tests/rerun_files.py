"""A reader of Rerun's recordings: Rerun itself."""

from pathlib import Path

import pytest


def read(path: Path) -> dict[str, dict[str, list[object]]]:
    """Entity by entity, column by column, in the order in which it was logged."""
    chunk = pytest.importorskip("rerun.chunk")
    found: dict[str, dict[str, list[object]]] = {}
    for part in chunk.RrdReader(str(path)).stream():
        columns = found.setdefault(part.entity_path, {})
        batch = part.to_record_batch()
        for name in batch.schema.names:
            # The clock's nanoseconds, which Python's own times do not hold.
            if name != "log_time":
                columns.setdefault(name, []).extend(batch.column(name).to_pylist())
    return found
