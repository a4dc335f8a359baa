"""Text as 8-byte words: many places of a log compared, or turned into numbers, by a few integer operations.

A word is eight bytes as a little-endian integer: byte ``k`` of the text is lane ``k`` (bits 8k to 8k+7).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.intp]
Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]

PADDING = 64
"""Bytes a block must have after its last line, so that no load runs out of it."""
VALUE_WIDTH = 16


def word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text.ljust(8, b"\0"), "little"))


def lanes(which: str) -> np.uint64:
    """A mask of the lanes marked ``x``."""
    return word(bytes(0xFF if mark == "x" else 0 for mark in which))


_HIGH: Final = word(b"\x80" * 8)
_LOW7: Final = word(b"\x7f" * 8)
_ZEROS: Final = word(b"0" * 8)
_BLANKS: Final = word(b" " * 8)
_OVER9: Final = word(b"\x76" * 8)
_NIBBLE: Final = word(b"\x0f" * 8)
_POINTS: Final = word(b"." * 8)
_ALL: Final = word(b"\xff" * 8)
_PAIRS: Final = lanes("x.x.x.x.")
_FOURS: Final = lanes("xx..xx..")
BYTE: Final = np.uint64(0xFF)
_WHOLE = 10 ** np.arange(9)
_POWERS = 10.0 ** np.arange(VALUE_WIDTH + 1)


class Text:
    """A block of the log, to be loaded from at any position up to ``PADDING`` bytes before its end."""

    def __init__(self, block: bytes) -> None:
        self.block = block
        self.bytes = np.frombuffer(block, np.uint8)
        self.words: Words = np.ndarray((len(block) - 7,), "<u8", block, strides=(1,))

    def positions(self, char: str) -> Positions:
        """Where a character stands."""
        return np.flatnonzero(self.bytes == ord(char))

    def window(self, begin: Positions, width: int) -> NDArray[np.uint8]:
        """``width`` bytes from each position: (n, width)."""
        shape = (len(self.block) - width + 1,)
        view: NDArray[np.void] = np.ndarray(shape, f"V{width}", self.block, strides=(1,))
        return view[np.minimum(begin, shape[0] - 1)].view(np.uint8).reshape(-1, width)

    def cut(self, begin: Positions, lengths: Positions, width: int) -> NDArray[np.bytes_]:
        """The first ``lengths`` bytes from each position, as bytes strings."""
        window = self.window(begin, width)
        window[np.arange(width) >= lengths[:, None]] = 0
        return window.view(f"S{width}").ravel()

    def decimals(self, begin: Positions) -> tuple[NDArray[np.float64], Positions, Mask]:
        """Plain decimal numbers at ``begin``, where each ends, and which of them are such.

        Numbers end before a blank, a comma or a control character. Others, as ``1e-07``, are left out.
        """
        value, stop, good = self._short(begin)
        long = np.flatnonzero(stop - begin == 8)
        long = long[~good[long]]
        if len(long):
            value[long], stop[long], good[long] = self._long(begin[long])
        return value, stop, good

    def _short(self, begin: Positions) -> tuple[NDArray[np.float64], Positions, Mask]:
        """Decimals of up to eight characters; a longer one seems to have eight and is none."""
        first = self.words[begin]
        over = not_digits(first)
        ends = over & ~marks(first, _POINTS)
        width = np.where(ends == 0, 8, _first(ends))
        stop = begin + width
        after = self.bytes[stop]
        point = over ^ ends
        places = _first(point)
        # One point at most, and digits beside it.
        whole = (point == 0) | (places >= width)
        good = ((point & (point - np.uint64(1)) & _below(width)) == 0) & (width > np.where(whole, 0, 1))
        good &= (after <= ord(" ")) | (after == ord(","))
        low = _below(places)
        packed = np.where(whole, first, (first & low) | ((first >> np.uint64(8)) & ~low))
        count = width - ~whole
        fraction = np.where(whole | ~good, 0, width - 1 - places)
        # Both are exact, so their quotient is the nearest double, as strtod's.
        return _number(packed, np.maximum(count, 0)) / _POWERS[fraction], stop, good

    def _long(self, begin: Positions) -> tuple[NDArray[np.float64], Positions, Mask]:
        """Decimals of nine to sixteen characters, with the point among the first eight."""
        first, second = self.words[begin], self.words[begin + 8]
        point = not_digits(first)
        places, more = _first(point), _first(not_digits(second))
        stop = begin + 8 + more
        good = (
            (point != 0)
            & (marks(first, _POINTS) == point)
            & (point & (point - np.uint64(1)) == 0)
            & (more > 0)
        )
        after = self.bytes[stop]
        good &= (after <= ord(" ")) | (after == ord(","))
        low = _below(places)
        packed = (first & low) | ((first >> np.uint64(8)) & ~low)
        mantissa = _number(packed, np.full(len(begin), 7)) * _WHOLE[more] + _number(second, more)
        return mantissa / _POWERS[np.minimum(7 - places + more, VALUE_WIDTH)], stop, good


def marks(values: Words, all_of: np.uint64) -> Words:
    """The high bit of every lane that is the one of ``all_of``."""
    bits = values ^ all_of
    return ~(((bits & _LOW7) + _LOW7) | bits) & _HIGH


def _below(lane_number: Positions) -> Words:
    """A mask of the lanes before one (0 to 8)."""
    shift = (8 * np.minimum(lane_number, 7)).astype(np.uint64)
    return np.where(lane_number > 7, _ALL, (np.uint64(1) << shift) - np.uint64(1))


def _number(values: Words, length: Positions) -> NDArray[np.int64]:
    """The number that the first ``length`` (0 to 8) lanes make, all of them digits."""
    shift = (8 * (8 - np.maximum(length, 1))).astype(np.uint64)
    # Right-align: lanes before the first digit become zero.
    number = np.where(length > 0, (values & _NIBBLE) << shift, np.uint64(0))
    number = (number * np.uint64(2561)) >> np.uint64(8)
    number = ((number & _PAIRS) * np.uint64(6553601)) >> np.uint64(16)
    number = ((number & _FOURS) * np.uint64(42949672960001)) >> np.uint64(32)
    return number.view(np.int64)


def not_digits(values: Words) -> Words:
    """The high bit of every lane that is no ASCII digit."""
    bits = values ^ _ZEROS
    return (((bits & _LOW7) + _OVER9) | bits) & _HIGH


def digits(values: Words, which: np.uint64) -> Mask:
    """Whether all lanes ``which`` are digits."""
    good: Mask = (not_digits(values) & which) == 0
    return good


def pairs(values: Words) -> Words:
    """In each lane, the number that its digit and the next one make; for lanes of digit pairs only."""
    numbers = values & _NIBBLE
    return numbers * np.uint64(10) + (numbers >> np.uint64(8))


def lane(values: Words, number: int) -> NDArray[np.int64]:
    return ((values >> np.uint64(8 * number)) & BYTE).astype(np.int64)


def leading_blanks(values: Words) -> Positions:
    """How many blanks begin each word (0 to 8)."""
    bits = values ^ _BLANKS
    marks = (((bits & _LOW7) + _LOW7) | bits) & _HIGH
    return _first(marks)


def integer(values: Words) -> tuple[NDArray[np.int64], Positions]:
    """The number that begins each word, and how many digits it has (0 to 8)."""
    length = _first(not_digits(values))
    return _number(values, length), length


def _first(marks: Words) -> Positions:
    """Number of lanes before the first marked one."""
    lowest = marks & (~marks + np.uint64(1))
    return np.bitwise_count(lowest - np.uint64(1)).astype(np.intp) >> 3
