"""Lines without a prefix, all at once: most mean nothing, and that must be cheap to find out."""

from __future__ import annotations

from typing import Final

import numpy as np

from .exact import BARE, CREATING, SPOKEN, SPOKEN_SHORT
from .stamps import Found, Stamps
from .words import Mask, Positions, Text, digits, lane, lanes, leading_blanks, word

_SUSPECT: Final = np.array(
    sorted(
        {
            *(
                int.from_bytes(text.lstrip()[:4].ljust(4), "little")
                for text in (*SPOKEN, *SPOKEN_SHORT, *CREATING, *BARE)
            ),
            *(int.from_bytes(text, "little") for text in (b"INFO", b"WARN", b"ERRO", b"FATA")),
        }
    ),
    np.uint64,
)
"""First four bytes of what may mean something in a line without a prefix. (np.unique would load numpy.ma.)"""
_FIRST: Final = np.zeros(256, bool)
_FIRST[[value & 0xFF for value in _SUSPECT.tolist()]] = True
_NEVER: Final = np.zeros(256, bool)
_NEVER[list(b"0123456789[(>\x1b@")] = True
"""First bytes of a line without a prefix that may be a launcher's, a device's or a stack's."""


_METRIC: Final = np.array([word(text) for text in (b"Iteratio", b"Train ne", b"Test net")])
"""Messages that are read without a prefix too."""


class Bare:
    """Judges the rows of a block that have no prefix of caffe's."""

    def __init__(self, text: Text, starts: Positions, ends: Positions, stamps: Stamps) -> None:
        self.text, self.starts, self.ends, self.stamps = text, starts, ends, stamps

    def read(self, rows: Positions) -> tuple[Positions, Found]:
        """The rows that surely mean nothing, and those that may bear a number, with their messages."""
        nothing = np.empty(0, np.intp)
        if not len(rows):
            return nothing, Found(nothing, nothing)
        begin = self._unwrapped(rows)
        lacking = self.stamps.bracket(begin) >= self.ends[rows]
        rows, begin = rows[lacking], begin[lacking]
        at = begin.copy()
        for _ in range(2):
            blank = np.flatnonzero(self.text.bytes[at] == ord(" "))
            at[blank] += leading_blanks(self.text.words[at[blank]])
        lead = self.text.bytes[at]
        start = self.text.words[begin]
        sure = ~_NEVER[lead] & ~_NEVER[self.text.bytes[begin]] & (lead != ord(" "))
        # The journal's stamp: Nov 25 02:52:39
        sure &= ~(
            (lane(start, 3) == ord(" ")) & (lane(start, 6) == ord(" ")) & digits(start, lanes(".....x.x"))
        )
        speaks = np.zeros(len(rows), bool)
        suspect = np.flatnonzero(sure & _FIRST[lead])
        key = self.text.words[at[suspect]]
        sure[suspect] = ~np.isin(key & lanes("xxxx...."), _SUSPECT)
        speaks[suspect] = np.isin(key, _METRIC) & (at[suspect] - begin[suspect] < 8)
        plain = np.flatnonzero(sure)
        if (self.text.bytes[begin[plain]] > ord(" ")).any():
            plain = plain[~self._told(rows[plain])]
        return rows[plain], Found(rows[speaks], at[speaks])

    def _unwrapped(self, rows: Positions) -> Positions:
        """Where the text of a line begins, behind the marks of launchers that prefixed lines have."""
        begin = self.starts[rows]
        for mark, rank in self.stamps.marks.items():
            width = len(mark)
            window = self.text.window(self.starts[rows], width)
            window[window - ord("0") <= 9] = ord("0")
            same = (window == np.frombuffer(mark, np.uint8)).all(axis=1)
            if rank >= 0:
                named = self.stamps.ranks(self.starts[rows[same]], np.full(same.sum(), width))
                self.stamps.batch.rank[rows[same]] = named
                same[same] = named >= 0
            begin[same] += width
        return begin

    def _told(self, rows: Positions) -> Mask:
        """Where a shell may tell how a process ended: ``train.sh: line 4: 123 Killed``."""
        colons = self.stamps.colons[:-3]
        places = colons[self.text.words[colons] & lanes("xxxxxxx.") == word(b": line ")]
        places = np.append(places, len(self.text.bytes))
        told: Mask = places[np.searchsorted(places, self.starts[rows])] < self.ends[rows]
        return told
