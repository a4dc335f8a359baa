"""A session's diary: one JSON object a line, appended and flushed to disk, read back in any condition."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def append(path: Path, kind: str, **facts: Any) -> Record:
    """Write one record with its time and return it. Raises OSError (disk full, no permission); blocks on
    fsync.
    """
    record: Record = {"time": time.time(), "kind": kind, **facts}
    line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # The writer before us died in the middle of a line: what it left must not swallow this record.
            line = b"\n" + line
        written = 0
        while written < len(line):
            written += os.write(descriptor, line[written:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return record


def read(path: Path) -> list[Record]:
    """All records that are whole; torn and foreign lines are passed over. A missing file has none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    records = []
    for line in data.split(b"\n"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("kind"), str):
            records.append(record)
    return records


def last(records: list[Record], kind: str) -> Record | None:
    """The newest record of a kind."""
    return next((record for record in reversed(records) if record["kind"] == kind), None)
