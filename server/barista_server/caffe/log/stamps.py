"""Finds the prefixes of a block's lines all at once, as :mod:`.prefix` does line by line."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import numpy as np

from .batch import Batch
from .clock import TIME_ONLY
from .prefix import WITHIN, WRAPPER, find_stamp, rank_of
from .words import BYTE, Mask, Positions, Text, digits, integer, lane, lanes, pairs, word

_FEW = 16
"""Lines for which it does not pay to look further."""
_NARROW, _WIDE = 8, 48
_MAX_WRAPPERS = 10_000

_CLOCK: Final = lanes("xx.xx.xx")
_COLONS: Final = lanes("..x..x..")
_FRACTION: Final = lanes(".xxxxxx.")
_AROUND: Final = lanes("x......x")


_DIGIT = re.compile(rb"\d")


class Found(NamedTuple):
    """Prefixes found, by row."""

    rows: Positions
    message: Positions
    """Where the message begins."""


class Wrappers(dict[bytes, int]):
    """The process that a launcher's text names, -1 for none, -2 where that must be found out line by line."""

    def __missing__(self, text: bytes) -> int:
        if len(self) >= _MAX_WRAPPERS:
            return -2
        self[text] = rank = rank_of(text)
        return rank


class Stamps:
    """Reads prefixes of the rows of a block into its batch."""

    def __init__(
        self, text: Text, starts: Positions, ends: Positions, brackets: Positions, batch: Batch
    ) -> None:
        self.text, self.starts, self.ends, self.batch = text, starts, ends, batch
        self.brackets = np.append(brackets, len(text.bytes) - 2)
        self.level = np.full(len(starts), ord("I"), np.uint8)
        """Letter of each row's prefix."""
        self.marks: dict[bytes, int] = {}
        """What a launcher puts before lines, with 0 for every digit: 0 if that names a process, else -1."""
        self._colons: Positions | None = None

    @property
    def colons(self) -> Positions:
        """Where there is a colon; two more at the end that belong to no line."""
        if self._colons is None:
            self._colons = np.append(self.text.positions(":"), [len(self.text.bytes) - 2] * 3)
        return self._colons

    def find(self) -> tuple[Found, Positions]:
        """What has a prefix that is understood, and the rows that have none or another."""
        found = [self._plain()]
        rest = self._rest(found, np.arange(len(self.starts)))
        if len(rest) > _FEW:
            bare = self.bare(rest)
            if len(rest) - bare.sum() > _FEW:
                found += self._behind(rest[~bare])
            first = self.text.bytes[self.starts[rest]]
            numbered, named = rest[bare & (first - ord("0") <= 9)], rest[bare & (first == ord("I"))]
            if len(numbered) > _FEW:
                found.append(self._epoch(numbered))
            if len(named) > _FEW:
                found.append(self._spdlog(named))
        if len(found) == 1:
            return found[0], rest
        rows = np.concatenate([each.rows for each in found])
        order = np.argsort(rows, kind="stable")
        message = np.concatenate([each.message for each in found])[order]
        rest = self._rest(found, rest)
        return Found(rows[order], message), rest

    def bracket(self, positions: Positions) -> Positions:
        """The first bracket from each position on."""
        found: Positions = self.brackets[np.searchsorted(self.brackets, positions)]
        return found

    def bare(self, rows: Positions) -> Mask:
        """Which rows lack a bracket, so that they cannot have glog's prefix."""
        lacking: Mask = self.bracket(self.starts[rows]) >= self.ends[rows]
        return lacking

    def _rest(self, found: list[Found], rows: Positions) -> Positions:
        mark = np.ones(len(self.starts), bool)
        for each in found:
            mark[each.rows] = False
        return rows[mark[rows]]

    def _plain(self) -> Found:
        """glog's prefix at the very beginning."""
        first = self.text.bytes[self.starts]
        rows = np.flatnonzero((first == ord("I")) | (first == ord("W")) | (first == ord("E")))
        begin = self.starts[rows]
        self.level[rows] = first[rows]
        return self._dated(rows, begin + 1)

    def _dated(self, rows: Positions, begin: Positions) -> Found:
        """Prefixes whose date should begin at ``begin``."""
        day = self.text.words[begin]
        long = digits(day, lanes("xxxxxxxx")) & (self.text.bytes[begin + 8] == ord(" "))
        short = digits(day, lanes("xxxx....")) & ((day >> np.uint64(32)) & BYTE == ord(" "))
        good = long | short
        return self._glog(rows[good], begin[good], long[good])

    def _glog(self, rows: Positions, begin: Positions, long: Mask) -> Found:
        """Read stamps whose date begins at ``begin`` and has eight digits where it is ``long``, else four."""
        words = self.text.words
        clock = begin + np.where(long, 9, 5)
        time, fraction = words[clock], words[clock + 8]
        good = digits(time, _CLOCK) & (time & _COLONS == word(b"\0\0:\0\0:"))
        good &= digits(fraction, _FRACTION) & (fraction & _AROUND == word(b".\0\0\0\0\0\0 "))
        bracket = self.brackets[np.searchsorted(self.brackets, clock)]
        good &= (bracket < self.ends[rows]) & (self.text.bytes[bracket + 1] == ord(" "))
        if not good.all():
            rows, begin, long, time, fraction, bracket = (
                column[good] for column in (rows, begin, long, time, fraction, bracket)
            )
        two = pairs(words[begin])
        date = lane(two, 0) * 100 + lane(two, 2)
        if long.any():
            date = np.where(long, date * 10000 + lane(two, 4) * 100 + lane(two, 6), date)
        self.batch.date[rows] = date
        two, parts = pairs(time), pairs(fraction)
        seconds = lane(two, 0) * 3600 + lane(two, 3) * 60 + lane(two, 6)
        micro = lane(parts, 1) * 10000 + lane(parts, 3) * 100 + lane(parts, 5)
        self.batch.microsecond[rows] = seconds * 1000000 + micro
        self.batch.prefixed[rows] = True
        return Found(rows, bracket + 2)

    def _behind(self, rows: Positions) -> list[Found]:
        """glog's prefix behind what a launcher put before it."""
        found = self._marked(rows)
        rest = self._rest(found, rows)
        return [*found, self._wrapped(rest)] if len(rest) > _FEW else found

    def _marked(self, rows: Positions) -> list[Found]:
        """Rows with a mark as that of the first one: only its digits may differ."""
        start = self.starts[rows]
        line = self.text.block[int(start[0]) : int(min(self.ends[rows[0]], start[0] + 2 * WITHIN))]
        width = find_stamp(line)
        text = line[: max(width, 0)]
        named = rank_of(text) >= 0
        if not text or not WRAPPER.fullmatch(text) or width > (_NARROW if named else _WIDE):
            return []
        mark = _DIGIT.sub(b"0", text)
        self.marks[mark] = 0 if named else -1
        window = self.text.window(start, width)
        window[window - ord("0") <= 9] = ord("0")
        level = self.text.bytes[start + width]
        same = (window == np.frombuffer(mark, np.uint8)).all(axis=1) & (start + width < self.ends[rows])
        same &= (level == ord("I")) | (level == ord("W")) | (level == ord("E"))
        rows, start, level = rows[same], start[same], level[same]
        if named:
            rank = self.ranks(start, np.full(len(start), width))
            self.batch.rank[rows] = rank
            rows, start, level = rows[rank >= 0], start[rank >= 0], level[rank >= 0]
        self.level[rows] = level
        return [self._dated(rows, start + width + 1)]

    def _wrapped(self, rows: Positions) -> Found:
        """glog's prefix behind marks of any width, in whatever order."""
        text, data = self.text, self.text.bytes
        colons = self.colons[:-3]
        colons = colons[(colons >= 16) & (data[colons + 3] == ord(":"))]
        time, day = text.words[colons - 2], text.words[colons - 7]
        good = digits(time, _CLOCK) & digits(day, lanes("xxxx....")) & (lane(day, 4) == ord(" "))
        good &= (data[colons + 6] == ord(".")) & digits(text.words[colons + 6], _FRACTION)
        clocks = np.append(colons[good] - 2, len(data) - 2)
        at = np.searchsorted(clocks, self.starts[rows])
        clock, start = clocks[at], self.starts[rows]
        good = clock + 16 <= np.minimum(self.ends[rows], start + WITHIN + 40)
        # Nothing is looked for before the block's 16th byte, so its first lines are left out.
        good &= (clock >= start + 7) & (start >= 16)
        rows, clock, start = rows[good], clock[good], start[good]
        long = digits(text.words[clock - 9], lanes("xxxxxxxx"))
        day_at = clock - np.where(long, 9, 5)
        level = data[day_at - 1]
        good = (level == ord("I")) | (level == ord("W")) | (level == ord("E"))
        good &= (day_at - 1 > start) & (day_at - 1 - start < WITHIN)
        rows, day_at, start, long = rows[good], day_at[good], start[good], long[good]
        rank = self.ranks(start, day_at - 1 - start)
        good = rank > -2
        self.batch.rank[rows] = rank
        self.level[rows] = data[day_at - 1]
        return self._glog(rows[good], day_at[good], long[good])

    def ranks(self, start: Positions, width: Positions) -> Positions:
        """Processes named in the first ``width`` bytes from ``start``; -2 where that is not clear."""
        known = Wrappers()
        rank = np.full(len(start), -2)
        narrow = np.flatnonzero(width <= _NARROW)
        texts = self.text.cut(start[narrow], width[narrow], _NARROW).tolist()
        rank[narrow] = np.fromiter(map(known.__getitem__, texts), np.intp, len(texts))
        wide = np.flatnonzero((width > _NARROW) & (width <= _WIDE))
        if len(wide):
            # Time stamps differ in their digits only, and these do not tell whether a process is named.
            window = self.text.window(start[wide], _WIDE)
            window[window - ord("0") <= 9] = ord("0")
            window[np.arange(_WIDE) >= width[wide, None]] = 0
            texts = window.view(f"S{_WIDE}").ravel().tolist()
            named = np.fromiter(map(known.__getitem__, texts), np.intp, len(texts))
            rank[wide] = np.where(named == -1, -1, -2)
        return rank

    def _epoch(self, rows: Positions) -> Found:
        """``1508138445  INFO: file : line 218 : `` of builds without glog."""
        text, data, start = self.text, self.text.bytes, self.starts[rows]
        good = digits(text.words[start], lanes("xxxxxxxx")) & digits(text.words[start + 2], lanes("xxxxxxxx"))
        good &= data[start + 10] == ord(" ")
        at = start + 11 + (data[start + 11] == ord(" "))
        good &= text.words[at] & lanes("xxxxxx..") == word(b"INFO: ")
        mark = np.minimum(np.searchsorted(self.colons, at + 4) + 1, len(self.colons) - 1)
        line = np.minimum(self.colons[mark], len(data) - 32)
        good &= (line > at + 5) & (line < self.ends[rows])
        good &= text.words[line - 1] == word(b" : line ")
        _, length = integer(text.words[line + 7])
        after = line + 7 + length
        good &= (length > 0) & (length < 8) & (text.words[after] & lanes("xxx.....") == word(b" : "))
        good &= after + 3 <= self.ends[rows]
        rows, start, message = rows[good], start[good], after[good] + 3
        high, low = integer(text.words[start])[0], integer(text.words[start + 2])[0]
        seconds = high * 100 + low % 100
        day = (seconds // 86400).astype("M8[D]")
        month = day.astype("M8[M]")
        months = month.astype(np.int64)
        date = (months // 12 + 1970) * 10000 + (months % 12 + 1) * 100 + (day - month).astype(np.int64) + 1
        return self._put(rows, message, date, seconds % 86400)

    def _spdlog(self, rows: Positions) -> Found:
        """``INFO - 18:34:44 - `` of DeepDetect."""
        text, start = self.text, self.starts[rows]
        time = text.words[start + 7]
        good = text.words[start] & lanes("xxxxxxx.") == word(b"INFO - ")
        good &= digits(time, _CLOCK) & (time & _COLONS == word(b"\0\0:\0\0:"))
        good &= text.words[start + 15] & lanes("xxx.....") == word(b" - ")
        rows, start, two = rows[good], start[good], pairs(time[good])
        seconds = lane(two, 0) * 3600 + lane(two, 3) * 60 + lane(two, 6)
        return self._put(rows, start + 18, np.full(len(rows), TIME_ONLY), seconds)

    def _put(self, rows: Positions, message: Positions, date: Positions, seconds: Positions) -> Found:
        self.batch.date[rows], self.batch.microsecond[rows] = date, seconds * 1_000_000
        self.batch.prefixed[rows] = True
        return Found(rows, message)
