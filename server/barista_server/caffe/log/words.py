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
BYTE: Final = np.uint64(0xFF)
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
        columns = self.window(begin, VALUE_WIDTH).T.copy()
        inside = np.ones(len(begin), bool)
        after = np.zeros(len(begin), bool)
        good = np.ones(len(begin), bool)
        mantissa = np.zeros(len(begin), np.int64)
        width, places = np.zeros(len(begin), np.intp), np.zeros(len(begin), np.intp)
        for column in columns:
            inside &= (column > ord(" ")) & (column != ord(","))
            if not inside.any():
                break
            digit = column - np.uint8(ord("0"))
            point = column == ord(".")
            numeral = inside & (digit <= 9)
            good &= ~inside | numeral | (point & ~after)
            mantissa = np.where(numeral, mantissa * 10 + digit, mantissa)
            width += inside
            places += numeral & after
            after |= point & inside
        good &= ~inside & (width > after)
        # Both are exact, so their quotient is the nearest double, as strtod's.
        return mantissa / _POWERS[places], begin + width, good


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
    # Right-align: lanes before the first digit become zero.
    aligned = np.where(length > 0, values << ((8 - np.maximum(length, 1)) * 8).astype(np.uint64), 0)
    two = pairs(aligned)
    value = lane(two, 0) * 1000000 + lane(two, 2) * 10000 + lane(two, 4) * 100 + lane(two, 6)
    return value, length


def _first(marks: Words) -> Positions:
    """Number of lanes before the first marked one."""
    lowest = marks & (~marks + np.uint64(1))
    return np.bitwise_count(lowest - np.uint64(1)).astype(np.intp) >> 3
