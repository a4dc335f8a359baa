"""Looking for a pattern in a log, block by block, by a process of its own that a bad pattern cannot hold."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from barista_server.agent.errors import CallError
from barista_server.agent.findchild import Answer, Task
from barista_server.agent.tail import KINDS, Log
from barista_server.api import messages as m

LINES = 1 << 15
"""Lines of a block: some 3 MB of a usual log."""
MOST_BYTES = 8 << 20
"""Bytes of a block, unless these are fewer than 64 lines."""
BUDGET = 0.5
"""Seconds after which an answer tells what was found so far."""
IDLE = 30.0
"""Seconds for which the process is kept for the next search."""
_UNHEARD = 20.0
"""Seconds after which a disk is taken to hang."""
_LIMIT = 1 << 24

Within = tuple[int, int | None]
Work = Callable[[Log, Within], Any]
Access = Callable[[Work], Awaitable[Any]]
"""Has something done with a parsed log and the lines of it that are meant. Raises CallError, OSError."""


class _Lines(NamedTuple):
    """The lines of a log among which is searched."""

    path: str
    numbers: NDArray[np.int64] | None
    """None: all of low..high."""
    low: int
    high: int

    @property
    def total(self) -> int:
        return self.high - self.low if self.numbers is None else len(self.numbers)

    def number(self, place: int) -> int:
        """Of the line at a place; behind the last one, where they end."""
        if self.numbers is None:
            return self.low + place
        return int(self.numbers[place]) if place < len(self.numbers) else self.high

    def places(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of those of the lines that are meant, and before which place each line is."""
        return numbers - self.low if self.numbers is None else np.searchsorted(self.numbers, numbers)

    def meant(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        numbers = numbers[(numbers >= self.low) & (numbers < self.high)]
        return numbers if self.numbers is None else numbers[np.isin(numbers, self.numbers)]


class _Block(NamedTuple):
    """Bytes of a file: whole lines from ``first`` on; ``low`` to before ``high`` of them are searched."""

    start: int
    stop: int
    first: int
    low: int
    high: int


async def find(access: Access, call: m.FindLines, child: Child) -> m.FoundLines:
    """Raises CallError, OSError, KeyError for an unknown kind."""
    _check_pattern(call.pattern)
    down = call.direction == "down"
    among: _Lines = await access(lambda log, within: _among(log, within, call.kinds))
    place = (0 if down else among.total) if call.start is None else min(max(0, call.start), among.total)
    at, end = among.number(place), among.high if down else among.low
    most = m.MOST_PLACES if call.places_only else m.MOST_FOUND
    limit, until = min(max(1, call.limit), most), time.monotonic() + BUDGET
    found: list[int] = []
    while at != end and len(found) < limit and time.monotonic() < until:
        block: _Block = await access(partial(_block, at=at, end=end))
        task = Task(call.pattern, call.regex, call.case, among.path, block.start, block.stop)
        hits = np.array((await child.answer(task)).lines, np.int64) + block.first
        hits = among.meant(hits[(hits >= block.low) & (hits < block.high)])
        hits = hits if down else hits[::-1]
        found += hits[: limit - len(found)].tolist()
        at = block.high if down else block.low
        if len(found) == limit:
            at = _behind(found, down)
    if call.places_only:
        return _told(call, among, [], np.array(found, np.int64), None if at == end else at)
    lines: list[m.LogLine] = await access(partial(_numbered, numbers=sorted(found)))
    while len(lines) < len(found):
        # So long that they do not fit into an answer.
        found = found[: len(found) // 2]
        at = _behind(found, down)
        lines = await access(partial(_numbered, numbers=sorted(found)))
    lines = lines if down else lines[::-1]
    numbers = np.array([line.number for line in lines], np.int64)
    return _told(call, among, lines, numbers, None if at == end else at)


async def pick(access: Access, call: m.PickLines) -> m.FoundLines:
    """Lines by their places. Raises CallError, OSError, KeyError for an unknown kind."""
    if len(call.places) > m.MOST_FOUND or any(a >= b for a, b in pairwise(call.places)):
        raise CallError("invalid", f"places must ascend, and be {m.MOST_FOUND} at most")
    among: _Lines = await access(lambda log, within: _among(log, within, call.kinds))
    numbers = [among.number(place) for place in call.places if 0 <= place < among.total]
    lines: list[m.LogLine] = await access(partial(_numbered, numbers=numbers))
    return _told(call, among, lines, np.array([line.number for line in lines], np.int64), None)


async def match(call: m.MatchTexts, child: Child) -> m.TextMatches:
    """Where a pattern is in texts. Raises CallError."""
    _check_pattern(call.pattern)
    if len(call.texts) > m.MOST_TEXTS or sum(map(len, call.texts)) > m.MOST_CHARACTERS:
        text = f"{m.MOST_TEXTS} texts of {m.MOST_CHARACTERS} characters together can be searched at once"
        raise CallError("invalid", text)
    answer = await child.answer(Task(call.pattern, call.regex, call.case, texts=call.texts))
    return m.TextMatches(spans=answer.spans)


def _check_pattern(pattern: str) -> None:
    if not 0 < len(pattern) <= m.MOST_PATTERN:
        text = f"a pattern of {len(pattern)} characters is looked for; 1 to {m.MOST_PATTERN} can be"
        raise CallError("invalid", text)


def _told(
    call: m.FindLines | m.PickLines,
    among: _Lines,
    lines: list[m.LogLine],
    numbers: NDArray[np.int64],
    at: int | None,
) -> m.FoundLines:
    """``numbers``: of the lines found; ``at``: of the one to go on from."""
    return m.FoundLines(
        session=call.session,
        run=call.run,
        lines=lines,
        places=among.places(numbers).tolist(),
        total=among.total,
        next=None if at is None else int(among.places(np.array([at]))[0]),
    )


def _behind(found: list[int], down: bool) -> int:
    """Where to go on."""
    return found[-1] + 1 if down else found[-1]


def _numbered(log: Log, within: Within, numbers: list[int]) -> list[m.LogLine]:
    return log.numbered(numbers)


def _among(log: Log, within: Within, kinds: list[str]) -> _Lines:
    low, high = within[0], log.parser.lines if within[1] is None else within[1]
    if not kinds:
        return _Lines(str(log.path), None, low, high)
    chosen = np.isin(log.parser.index.kinds[low:high], [KINDS[kind] for kind in kinds])
    return _Lines(str(log.path), np.flatnonzero(chosen) + low, low, high)


def _block(log: Log, within: Within, at: int, end: int) -> _Block:
    """The next lines from ``at`` towards ``end``."""
    count = LINES
    while True:
        low, high = (at, min(end, at + count)) if end > at else (max(end, at - count), at)
        span = log.parser.index.span(low, high)
        if span.stop - span.start <= MOST_BYTES or count == 1:
            return _Block(span.start, span.stop, span.first, low, high)
        count //= 2


class Child:
    """The process that searches; started when it is needed, ended when it was not for a while."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._using = asyncio.Lock()
        self._rest: asyncio.TimerHandle | None = None

    async def answer(self, task: Task) -> Answer:
        """What was found. Raises CallError."""
        async with self._using:
            if self._rest is not None:
                self._rest.cancel()
            try:
                async with asyncio.timeout(_UNHEARD):
                    answer = await self._ask(task)
            except TimeoutError:
                self.end()
                text = f"cannot be searched: the disk of {task.path} hangs"
                raise CallError("timeout", text, "Search again once it answers.") from None
            except BaseException:
                # Whatever it is at is not wanted any more.
                self.end()
                raise
            self._rest = asyncio.get_running_loop().call_later(IDLE, self.end)
        if answer.problem:
            raise CallError("invalid" if answer.of_pattern else "disk", answer.problem)
        return answer

    async def _ask(self, task: Task) -> Answer:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "barista_server.agent.findchild",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_LIMIT,
                start_new_session=True,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )  # fmt: skip
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(msgspec.json.encode(task) + b"\n")
        line = await process.stdout.readline()
        if not line:
            self.end()
            text = f"cannot be searched for '{task.pattern}': that takes too long"
            raise CallError("timeout", text, "Repetitions within repetitions, as in (a+)+, are what is slow.")
        return msgspec.json.decode(line, type=Answer)

    async def close(self) -> None:
        """End the process, and wait for it."""
        process = self._process
        self.end()
        if process is not None:
            await process.wait()

    def end(self) -> None:
        """End the process; the next search starts another one."""
        process, self._process = self._process, None
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if process is not None and process.returncode is None:
            process.kill()
