"""The last lines of a log that is not parsed, for somebody who opens it: all of 100 MB takes a second."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from barista_server.agent.files import open_regular
from barista_server.agent.parts import Facts
from barista_server.agent.tail import MAX_LINE, name_of
from barista_server.api.messages import LogLine
from barista_server.caffe.log import LogParser, clean

MOST = 4 << 20
"""Bytes that are looked at, so that the answer fits a frame whatever they are."""
_USUAL = 256
"""Bytes of a line, generously."""


def last_lines(path: Path, told: Facts, start: int, count: int) -> list[LogLine] | None:
    """Lines from ``start`` (negative: from the end) on of a log that had ``told.lines`` of them when it was
    read to its end. None if it has changed since, or if they are too long. Raises OSError.
    """
    wanted = min(-start, told.lines)
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size != told.size or not 0 < wanted * _USUAL <= MOST:
            return None
        width = wanted * _USUAL
        data, lines = _end(file, size, width)
        while len(lines) < wanted and width < min(size, MOST):
            width = min(4 * width, MOST)
            data, lines = _end(file, size, width)
    if len(lines) < wanted:
        return None
    parser = LogParser()
    parser.feed(data)
    parser.finish()
    kinds = parser.index.kinds[-wanted:].tolist()
    chosen = list(zip(range(told.lines - wanted, told.lines), kinds, lines[-wanted:], strict=True))
    return [
        LogLine(number=number, kind=name_of(kind), text=clean(line[:MAX_LINE]))
        for number, kind, line in chosen[: max(0, count)]
    ]


def _end(file: BinaryIO, size: int, width: int) -> tuple[bytes, list[bytes]]:
    """The last bytes of a file, and the whole lines among them."""
    begin = max(0, size - width)
    file.seek(begin)
    data = file.read(size - begin)
    lines = data.removesuffix(b"\n").split(b"\n")
    return data, lines[1:] if begin else lines
