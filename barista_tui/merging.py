"""The messages of several callers in the order of time: ends of logs, with what came before on demand. Pure.

Of each log a stretch is here that ends with its last line. What is older than the oldest line here of any
log that has more is not shown yet: there would be gaps. Scrolling up asks for it.
"""

from __future__ import annotations

import math
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from operator import attrgetter

from msgspec import Struct

from barista_server.api.messages import LogLine, Notice
from barista_tui.consolerows import GLOG, Row, notice_row
from barista_tui.format import clock
from barista_tui.lines import Source, Window

FIRST, OLDER, NEWER = 200, 512, 2048
"""Lines of a log that are asked for at first, of those before, and of new ones at once."""
MOST = 20_000
"""Lines that are kept. For what is older one log is looked at."""
AWRY = 120.0
"""Seconds that the clock of a log may differ from ours before its lines are taken to be of now."""

_STAMP = re.compile(r"[IWEF](?:(\d{4}))?(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)?")
_time_of = attrgetter("time")


def stamp(text: str, now: float) -> float | None:
    """The time that glog puts before a line, in this machine's zone; without a year the last that fits."""
    match = _STAMP.match(text)
    if match is None:
        return None
    year, month, day, *of_day, fraction = match.groups()
    hour, minute, second = map(int, of_day)
    years = [int(year)] if year else [time.localtime(now).tm_year - back for back in (0, 1)]
    for each in years:
        try:
            at = time.mktime((each, int(month), int(day), hour, minute, second, 0, 0, -1))
        except (OverflowError, ValueError):
            return None
        if at < now + 86400:
            break
    return at + float(fraction or 0)


class Stream(Struct):
    """A log of which lines ``low`` to before ``high`` are here, counted among those of its source's kinds."""

    source: Source
    caller: str
    low: int = 0
    high: int = 0
    oldest: float = math.inf
    """Time of the line ``low``; ``newest`` of the last one."""
    newest: float = -math.inf
    skew: float = 0.0
    """Seconds that its clock is behind ours."""
    begun: bool = False


class Entry(Struct, frozen=True):
    """A row, the time by which it is sorted, and the log it is from; messages are from none."""

    time: float
    row: Row
    stream: Stream | None = None


class Merged:
    """All entries by time."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._entries: list[Entry] = []
        self._begin = 0
        self._notices: tuple[Notice, ...] = ()
        self._rows: list[Row] | None = None
        self.streams: dict[Source, Stream] = {}
        self.first = 0
        """Number of the first row; falls when older ones are put before it, rises when some are dropped."""

    @property
    def rows(self) -> list[Row]:
        """What has no gaps before it."""
        if self._rows is None:
            self._rows = [entry.row for entry in self._entries[self._begin :]]
        return self._rows

    @property
    def horizon(self) -> float:
        """Before this time there are lines that are not here."""
        return max((each.oldest for each in self.streams.values() if each.low > 0), default=-math.inf)

    def _arrange(self, top: Entry | None) -> None:
        """Bring all into order again; ``top``, which was the first row, keeps its number."""
        self._entries.sort(key=_time_of)
        self._begin = bisect_left(self._entries, self.horizon, key=_time_of)
        self._rows = None
        if top is not None:
            at = bisect_left(self._entries, top.time, key=_time_of)
            while self._entries[at] is not top:
                at += 1
            self.first -= at - self._begin

    @property
    def _top(self) -> Entry | None:
        return self._entries[self._begin] if self._begin < len(self._entries) else None

    # ---------------------------------------------------------------------------------- messages

    def take_notices(self, notices: Sequence[Notice]) -> bool:
        """All messages there are now; whether that is something new."""
        fresh = tuple(notices)
        known = len(self._notices)
        if fresh == self._notices:
            return False
        if fresh[:known] != self._notices:
            # Some are gone, or came late.
            self._entries = [entry for entry in self._entries if entry.stream is not None]
            self._begin = bisect_left(self._entries, self.horizon, key=_time_of)
            known = 0
        top, self._notices = self._top, fresh
        self._entries += [Entry(notice.time, notice_row(notice)) for notice in fresh[known:]]
        self._arrange(top)
        return True

    # ---------------------------------------------------------------------------------- logs

    def stream(self, source: Source, caller: str) -> Stream:
        """The stream of a log; a new one has no lines."""
        return self.streams.setdefault(source, Stream(source, caller))

    def newer(self, stream: Stream) -> Window:
        """What to ask for at the end of a log."""
        return Window(stream.high, NEWER) if stream.begun else Window(-FIRST, FIRST)

    def older(self) -> list[tuple[Stream, Window]]:
        """What to ask for so that more can be shown before the first row; nothing where there is no more, or
        no room for it.
        """
        horizon = self.horizon
        if math.isinf(horizon) or len(self._entries) >= MOST:
            return []
        held_up = [each for each in self.streams.values() if each.low > 0 and each.oldest >= horizon]
        return [(each, Window(max(0, each.low - OLDER), min(OLDER, each.low))) for each in held_up]

    def take(self, stream: Stream, start: int, lines: Sequence[LogLine]) -> bool:
        """Lines that were asked for; whether they join what is here."""
        if not stream.begun:
            stream.begun, stream.low, stream.high = True, start, start
        after = start == stream.high
        if not lines or not (after or start + len(lines) == stream.low):
            return False
        top, fresh = self._top, self._entries_of(stream, lines, after)
        if after:
            if stream.low == stream.high:
                stream.oldest = fresh[0].time
            stream.high += len(fresh)
            stream.newest = fresh[-1].time
        else:
            stream.low, stream.oldest = start, fresh[0].time
        self._entries += fresh
        self._arrange(top)
        return True

    def _entries_of(self, stream: Stream, lines: Sequence[LogLine], after: bool) -> list[Entry]:
        """Times never fall within a log; a line without one has that of the line before."""
        now = self._now()
        times = [stamp(line.text, now) for line in lines]
        known = [each for each in times if each is not None]
        live = after and stream.high > stream.low
        if live and known and abs(now - known[-1] - stream.skew) > AWRY:
            stream.skew = now - known[-1]
        at = stream.newest if live else (known[0] + stream.skew if known else min(stream.oldest, now))
        made = []
        for line, told in zip(lines, times, strict=True):
            at = max(at, told + stream.skew) if told is not None else at
            if not after:
                at = min(at, stream.oldest)
            made.append(Entry(at, _row(stream, line, at - stream.skew), stream))
        return made

    def trim(self) -> None:
        """Drop what is oldest, where it is too much; it can be asked for again."""
        gone = len(self._entries) - MOST
        if gone < MOST // 10:
            return
        shown = len(self.rows)
        for entry in self._entries[:gone]:
            if entry.stream is not None:
                entry.stream.low += 1
                entry.stream.oldest = entry.stream.newest
        del self._entries[:gone]
        for entry in reversed(self._entries):
            if entry.stream is not None:
                entry.stream.oldest = entry.time
        self._begin = bisect_left(self._entries, self.horizon, key=_time_of)
        self._rows = None
        self.first += shown - len(self.rows)


def _row(stream: Stream, line: LogLine, at: float) -> Row:
    match = GLOG.match(line.text)
    when, skip = (match.group(1), match.end()) if match else (clock(at), 0)
    source = stream.source
    return Row(line.text, line.kind, when, skip, stream.caller, source.key, source.run, line.number)
