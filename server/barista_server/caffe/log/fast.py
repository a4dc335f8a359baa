"""Reads the regular lines of a block all at once, with numpy over 8-byte words.

A word is eight bytes of the log as a little-endian integer, so that byte ``k`` of the text is lane ``k``
(bits 8k to 8k+7) and eight bytes are compared, or turned into digits, by a few integer operations. Lines that
are not exactly as expected are left to :mod:`.exact`; a line settled here reads just the same there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .batch import Action, Batch, Labels
from .exact import SPOKEN, number
from .index import LineKind

Positions = NDArray[np.intp]
Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]

PADDING = 64
"""Bytes a block must have after its last line, so that no load runs out of it."""
_LABEL_WIDTH = 48
_VALUE_WIDTH = 16


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text.ljust(8, b"\0"), "little"))


def _lanes(which: str) -> np.uint64:
    """A mask of the lanes marked ``x``."""
    return _word(bytes(0xFF if mark == "x" else 0 for mark in which))


_HIGH: Final = _word(b"\x80" * 8)
_LOW7: Final = _word(b"\x7f" * 8)
_ZEROS: Final = _word(b"0" * 8)
_OVER9: Final = _word(b"\x76" * 8)
_NIBBLE: Final = _word(b"\x0f" * 8)
_BYTE: Final = np.uint64(0xFF)

_SPOKEN: Final = np.array([_word(text) for text in SPOKEN])
_QUIET: Final = np.array(
    [
        _word(text)
        for text in (
            b"    with",
            b"    [For",
            b"    [Bac",
            b"    [Upd",
            b"[Forward",
            b"[Backwar",
            b"[Update]",
        )
    ]
)
"""Starts of frequent messages that mean nothing though they begin like something that may."""


def scan(block: bytes, starts: Positions, ends: Positions, batch: Batch, labels: Labels) -> Mask:
    """Fill ``batch`` for the lines understood here; return which ones these are.

    ``starts``/``ends``: bounds of each line in ``block``, the LF (and a CR before it) left out. ``block``
    goes on for ``PADDING`` bytes after the last line.
    """
    return _Scan(block, starts, ends, batch, labels).run()


class _Scan:
    def __init__(
        self, block: bytes, starts: Positions, ends: Positions, batch: Batch, labels: Labels
    ) -> None:
        self.starts, self.ends, self.batch, self.labels = starts, ends, batch, labels
        self.bytes = np.frombuffer(block, np.uint8)
        self.words: Words = np.ndarray((len(block) - 7,), "<u8", block, strides=(1,))
        self.equals = np.flatnonzero(self.bytes == ord("="))
        self.block = block
        self.settled = np.zeros(len(starts), bool)

    def run(self) -> Mask:
        rows, message = self._prefixes()
        key = self.words[message]
        iteration = (key == _word(b"Iteratio")) & (self.words[message + 2] == _word(b"eration "))
        train = (key == _word(b"    Trai")) & (self.words[message + 14] == _word(b"output #"))
        train &= self.words[message + 8] == _word(b"n net ou")
        test = (key == _word(b"    Test")) & (self.words[message + 13] == _word(b"output #"))
        test &= self.words[message + 8] == _word(b" net out")
        self._iterations(rows[iteration], message[iteration] + 10)
        self._outputs(rows[train], message[train] + 22, LineKind.METRIC, Action.TRAIN_OUTPUT)
        self._outputs(rows[test], message[test] + 21, LineKind.TEST, Action.TEST_OUTPUT)
        rest = ~(iteration | train | test)
        rows, key = rows[rest], key[rest]
        first = key & _BYTE
        meant = (first == ord(" ")) | (first == ord("[")) | (first == ord("("))
        meant = (meant & ~np.isin(key, _QUIET)) | np.isin(key, _SPOKEN)
        self.settled[rows[~meant]] = True
        return self.settled

    def _prefixes(self) -> tuple[Positions, Positions]:
        """Rows with a level I prefix at column 0, and where their messages begin. Stores the stamps."""
        rows = np.flatnonzero(self.bytes[self.starts] == ord("I"))
        begin = self.starts[rows]
        day = self.words[begin + 1]
        long = _digits(day, _lanes("xxxxxxxx")) & (self.bytes[begin + 9] == ord(" "))
        short = _digits(day, _lanes("xxxx....")) & ((day >> np.uint64(32)) & _BYTE == ord(" "))
        clock = begin + np.where(long, 10, 6)
        time, fraction = self.words[clock], self.words[clock + 8]
        good = long | short
        good &= _digits(time, _lanes("xx.xx.xx")) & (time & _lanes("..x..x..") == _word(b"\0\0:\0\0:"))
        good &= _digits(fraction, _lanes(".xxxxxx.")) & (
            fraction & _lanes("x......x") == _word(b".\0\0\0\0\0\0 ")
        )
        rows, day, long, clock, time, fraction = (
            column[good] for column in (rows, day, long, clock, time, fraction)
        )
        brackets = np.append(np.flatnonzero(self.bytes == ord("]")), len(self.bytes) - 2)
        bracket = brackets[np.searchsorted(brackets, clock)]
        good = (bracket < self.ends[rows]) & (self.bytes[bracket + 1] == ord(" "))
        rows, day, long, time, fraction = (column[good] for column in (rows, day, long, time, fraction))
        pairs = _pairs(day)
        century = (
            _lane(pairs, 0) * 1000000 + _lane(pairs, 2) * 10000 + _lane(pairs, 4) * 100 + _lane(pairs, 6)
        )
        self.batch.date[rows] = np.where(long, century, _lane(pairs, 0) * 100 + _lane(pairs, 2))
        pairs = _pairs(time)
        seconds = _lane(pairs, 0) * 3600 + _lane(pairs, 3) * 60 + _lane(pairs, 6)
        pairs = _pairs(fraction)
        micro = _lane(pairs, 1) * 10000 + _lane(pairs, 3) * 100 + _lane(pairs, 5)
        self.batch.microsecond[rows] = seconds * 1000000 + micro
        return rows, bracket[good] + 2

    def _iterations(self, rows: Positions, digits: Positions) -> None:
        """Lines ``Iteration N...``, N beginning at ``digits``: test begins, rates and losses."""
        iteration, length = _integer(self.words[digits])
        after = digits + length
        # Eight digits may be the first ones of a longer number: left to the exact reader.
        good = (length > 0) & (length < 8)
        rows, iteration, after = rows[good], iteration[good], after[good]
        self.batch.iteration[rows] = iteration
        next8, ends = self.words[after], self.ends[rows]
        testing = (next8 == _word(b", Testin")) & (self.words[after + 8] == _word(b"g net (#"))
        net = self.bytes[after + 16].astype(np.int64) - ord("0")
        testing &= (net >= 0) & (net <= 9) & (self.bytes[after + 17] == ord(")")) & (after + 18 == ends)
        self._settle(rows[testing], LineKind.TEST, Action.TEST_BEGIN)
        self.batch.label[rows[testing]] = net[testing]

        rate = (next8 & _lanes("xxxxxxx.")) == _word(b", lr = ")
        value, stop, good = self._values(after[rate] + 7)
        good &= (stop == ends[rate]) | (self.bytes[stop] == ord(",")) | (self.bytes[stop] == ord(" "))
        self._settle(rows[rate][good], LineKind.METRIC, Action.RATE, value[good])

        other = ~(testing | rate)
        rows, after, ends = rows[other], after[other], ends[other]
        equals, count = self._equals(after, ends)
        loss = (count > 0) & (equals - 7 >= after)
        rows, equals, ends = rows[loss], equals[loss], ends[loss]
        loss = (self.words[equals - 7] == _word(b", loss =")) & (self.bytes[equals + 1] == ord(" "))
        rows, equals, ends = rows[loss], equals[loss], ends[loss]
        value, stop, good = self._values(equals + 2)
        good &= stop == ends
        self._settle(rows[good], LineKind.METRIC, Action.LOSS, value[good])

    def _outputs(self, rows: Positions, label: Positions, kind: LineKind, action: Action) -> None:
        """Lines ``Train|Test net output #i: name = V``, ``i: name`` beginning at ``label``."""
        equals, count = self._equals(label, self.ends[rows])
        width = equals - 1 - label
        good = (count > 0) & (count <= 2) & (width > 0) & (width <= _LABEL_WIDTH)
        good &= (self.bytes[equals - 1] == ord(" ")) & (self.bytes[equals + 1] == ord(" "))
        good &= self.bytes[equals - 2] != 0  # fixed-width strings would lose it
        rows, label, equals, width = (column[good] for column in (rows, label, equals, width))
        text = self._cut(label, width, _LABEL_WIDTH)
        known = np.fromiter(map(self.labels.__getitem__, text.tolist()), np.int64, len(text))
        value, stop, good = self._values(equals + 2)
        weighted = (self.words[stop] & _lanes("xxxx....")) == _word(b" (* ")
        good &= ((stop == self.ends[rows]) | weighted) & (known >= 0)
        self._settle(rows[good], kind, action, value[good])
        self.batch.label[rows[good]] = known[good]

    def _equals(self, begin: Positions, ends: Positions) -> tuple[Positions, Positions]:
        """The first ``=`` from ``begin`` on and the number of them before ``ends``."""
        first = np.searchsorted(self.equals, begin)
        count = np.searchsorted(self.equals, ends) - first
        place = np.append(self.equals, 1)[first]
        return np.where(count > 0, place, begin + 1), count

    def _values(self, begin: Positions) -> tuple[NDArray[np.float64], Positions, Mask]:
        """Numbers at ``begin``, where each ends, and which of them are numbers."""
        raw = self._window(begin, _VALUE_WIDTH)
        over = (raw <= ord(" ")) | (raw == ord(","))
        width = over.argmax(axis=1)
        stop = begin + width
        good = width > 0
        text = self._cut(begin, width, _VALUE_WIDTH)
        text[~good] = b"0"
        try:
            return text.astype(np.float64), stop, good
        except ValueError:
            numbers = [number(token) for token in text.tolist()]
            good &= np.array([value is not None for value in numbers])
            return np.array([value or 0.0 for value in numbers]), stop, good

    def _window(self, begin: Positions, width: int) -> NDArray[np.uint8]:
        """``width`` bytes from each position: (n, width)."""
        shape = (len(self.block) - width + 1,)
        view: NDArray[np.void] = np.ndarray(shape, f"V{width}", self.block, strides=(1,))
        return view[np.minimum(begin, shape[0] - 1)].view(np.uint8).reshape(-1, width)

    def _cut(self, begin: Positions, lengths: Positions, width: int) -> NDArray[np.bytes_]:
        """The first ``lengths`` bytes from each position, as bytes strings."""
        window = self._window(begin, width)
        window[np.arange(width) >= lengths[:, None]] = 0
        return window.view(f"S{width}").ravel()

    def _settle(
        self, rows: Positions, kind: LineKind, action: Action, value: NDArray[np.float64] | None = None
    ) -> None:
        self.settled[rows] = True
        self.batch.kind[rows] = kind
        self.batch.action[rows] = action
        if value is not None:
            self.batch.value[rows] = value


def _not_digits(words: Words) -> Words:
    """The high bit of every lane that is no ASCII digit."""
    lanes = words ^ _ZEROS
    return (((lanes & _LOW7) + _OVER9) | lanes) & _HIGH


def _digits(words: Words, lanes: np.uint64) -> Mask:
    """Whether all ``lanes`` are digits."""
    good: Mask = (_not_digits(words) & lanes) == 0
    return good


def _pairs(words: Words) -> Words:
    """In each lane, the number that its digit and the next one make; for lanes of digit pairs only."""
    digits = words & _NIBBLE
    return digits * np.uint64(10) + (digits >> np.uint64(8))


def _lane(words: Words, lane: int) -> NDArray[np.int64]:
    return ((words >> np.uint64(8 * lane)) & _BYTE).astype(np.int64)


def _integer(words: Words) -> tuple[NDArray[np.int64], Positions]:
    """The number that begins each word, and how many digits it has (0 to 8)."""
    marks = _not_digits(words)
    lowest = marks & (~marks + np.uint64(1))
    length = np.bitwise_count(lowest - np.uint64(1)).astype(np.intp) >> 3
    # Right-align: lanes before the first digit become zero.
    aligned = np.where(length > 0, words << ((8 - np.maximum(length, 1)) * 8).astype(np.uint64), 0)
    pairs = _pairs(aligned)
    value = _lane(pairs, 0) * 1000000 + _lane(pairs, 2) * 10000 + _lane(pairs, 4) * 100 + _lane(pairs, 6)
    return value, length
