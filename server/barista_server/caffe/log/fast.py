"""Reads the regular lines of a block all at once, with numpy over 8-byte words.

Lines that are not exactly as expected are left to :mod:`.exact`; what is settled here reads the same there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .batch import Action, Batch, Labels
from .exact import BARE, CREATING, SPOKEN, SPOKEN_SHORT, number
from .index import LineKind
from .stamps import Stamps
from .words import (
    BYTE,
    VALUE_WIDTH,
    Mask,
    Positions,
    Text,
    Words,
    digits,
    integer,
    lane,
    lanes,
    leading_blanks,
    word,
)

_LABEL_WIDTH = 48

_SPOKEN: Final = np.array([word(text) for text in SPOKEN])
_QUIET: Final = np.array([word(text) for text in (b"[Forward", b"[Backwar", b"[Update]")])
"""Starts of frequent messages that mean nothing, at whatever level."""
_CREATED: Final = np.array([word(text[8:16]) for text in CREATING])
_SUSPECT: Final = np.unique(
    [
        int.from_bytes(text.lstrip()[:4].ljust(4), "little")
        for text in (*SPOKEN, *SPOKEN_SHORT, *CREATING, *BARE)
    ]
    + [int.from_bytes(text, "little") for text in (b"INFO", b"WARN", b"ERRO", b"FATA")]
).astype(np.uint64)
"""First four bytes of what may mean something in a line without a prefix."""
_FIRST: Final = np.zeros(256, bool)
_FIRST[[value & 0xFF for value in _SUSPECT.tolist()]] = True
_NEVER: Final = np.zeros(256, bool)
_NEVER[list(b"0123456789[(>\x1b@")] = True
"""First bytes of a line without a prefix that may be a launcher's, a device's or a stack's."""


def scan(
    block: bytes, starts: Positions, ends: Positions, brackets: Positions, batch: Batch, labels: Labels
) -> Mask:
    """Fill ``batch`` for the messages understood here; return which ones these are.

    ``starts``/``ends``: bounds of each message in ``block``, the LF (and a CR before it) left out. ``block``
    goes on for ``PADDING`` bytes after the last one. ``brackets``: where there is a ``]``.
    """
    return _Scan(Text(block), starts, ends, brackets, batch, labels).run()


class _Names(dict[bytes, int]):
    """Labels of values that have a name only."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    def __missing__(self, name: bytes) -> int:
        known = self._labels.named(name)
        if known >= 0:
            self[name] = known
        return known


class _Scan:
    def __init__(
        self, text: Text, starts: Positions, ends: Positions, brackets: Positions,
        batch: Batch, labels: Labels,
    ) -> None:  # fmt: skip
        self.text, self.starts, self.ends, self.batch, self.labels = text, starts, ends, batch, labels
        self.bytes, self.words = text.bytes, text.words
        self.stamps = Stamps(text, starts, ends, brackets, batch)
        self.equals = text.positions("=")
        self.settled = np.zeros(len(starts), bool)

    def run(self) -> Mask:
        found, rest = self.stamps.find()
        self._bare(rest)
        rows, message = self._untagged(*found)
        self.batch.prefixed[rows[message >= self.ends[rows]]] = False
        key, second = self.words[message], self.words[message + 8]
        iteration = key == word(b"Iteratio")
        passes = iteration & (self.words[message + 2] == word(b"eration:"))
        iteration &= self.words[message + 2] == word(b"eration ")
        train = (key == word(b"Train ne")) & (second & lanes("xx......") == word(b"t "))
        train &= self.words[message + 10] == word(b"output #")
        test = (
            (key == word(b"Test net"))
            & (self.words[message + 9] == word(b"output #"))
            & (second & BYTE == ord(" "))
        )
        self._iterations(rows[iteration], message[iteration] + 10)
        self._outputs(rows[train], message[train] + 18, LineKind.METRIC, Action.TRAIN_OUTPUT)
        self._outputs(rows[test], message[test] + 17, LineKind.TEST, Action.TEST_OUTPUT)
        rest = ~(iteration | train | test)
        self._others(rows[rest], message[rest], key[rest], passes[rest])
        return self.settled

    def _untagged(self, rows: Positions, message: Positions) -> tuple[Positions, Positions]:
        """Go on behind the blanks and the device (``    [0.0]     ``) before each message."""
        message = message.copy()
        sure = np.ones(len(rows), bool)
        self._skip_blanks(message, sure, self.bytes[message] == ord(" "))
        first = self.bytes[message]
        tagged = np.flatnonzero((first == ord("[")) | (first == ord("(")))
        if len(tagged):
            tag = self.words[message[tagged]]
            device = digits(tag, lanes(".x.x....")) & (lane(tag, 2) == ord("."))
            device &= (lane(tag, 4) == ord("]")) | (lane(tag, 4) == ord(")"))
            sure[tagged] &= device | ~digits(tag, lanes(".x......"))
            message[tagged[device]] += 5
            behind = np.zeros(len(rows), bool)
            behind[tagged[device]] = True
            self._skip_blanks(message, sure, behind)
        return (rows, message) if sure.all() else (rows[sure], message[sure])

    def _skip_blanks(self, message: Positions, sure: Mask, which: Mask) -> None:
        blank = np.flatnonzero(which)
        count = leading_blanks(self.words[message[blank]])
        sure[blank] &= count < 8
        message[blank] += count

    def _others(self, rows: Positions, message: Positions, key: Words, passes: Mask) -> None:
        """All but displays and net outputs."""
        batches = key & lanes("xxxxxx..") == word(b"Batch ")
        clipping = (key == word(b"Gradient")) & (self.words[message + 8] == word(b" clippin"))
        clipping &= self.bytes[message + 16] == ord("g")
        if batches.any():
            self._batches(rows[batches], message[batches] + 6)
        if passes.any():
            self._passes(rows[passes], message[passes] + 11)
        self._settle(rows[clipping], LineKind.METRIC, Action.CLIPPING)
        rest = ~(batches | passes | clipping)
        rows, message, key = rows[rest], message[rest], key[rest]
        meant = np.isin(key, _SPOKEN) | (key & lanes("xxxxxx..") == word(b"Loss: "))
        meant |= key & lanes("xxxxx...") == word(b"class")
        creating = np.flatnonzero(key == word(b"Creating"))
        meant[creating] = np.isin(self.words[message[creating] + 8], _CREATED)
        level = self.stamps.level[rows]
        quiet = np.isin(key, _QUIET)
        plain = ~meant & ((level == ord("I")) | (quiet & (level == ord("E"))))
        self.settled[rows[plain]] = True
        warning = ~meant & (level == ord("W"))
        self.settled[rows[warning]] = True
        self.batch.kind[rows[warning]] = LineKind.WARNING

    def _bare(self, rows: Positions) -> None:
        """Settle the lines without a prefix that cannot mean anything."""
        if not len(rows):
            return
        rows = rows[self.stamps.bare(rows)]
        at = self.starts[rows]
        first = self.bytes[at]
        sure = np.ones(len(rows), bool)
        for _ in range(2):
            blank = np.flatnonzero(self.bytes[at] == ord(" "))
            at[blank] += leading_blanks(self.words[at[blank]])
        lead = self.bytes[at]
        sure &= ~_NEVER[lead] & ~_NEVER[first] & (lead != ord(" "))
        suspect = np.flatnonzero(_FIRST[lead])
        sure[suspect] &= ~np.isin(self.words[at[suspect]] & lanes("xxxx...."), _SUSPECT)
        start = self.words[self.starts[rows]]
        # The journal's stamp: Nov 25 02:52:39
        sure &= ~(
            (lane(start, 3) == ord(" ")) & (lane(start, 6) == ord(" ")) & digits(start, lanes(".....x.x"))
        )
        rows = rows[sure]
        if (self.bytes[self.starts[rows]] > ord(" ")).any():
            rows = rows[~self._told(rows)]
        self.settled[rows] = True

    def _told(self, rows: Positions) -> Mask:
        """Where a shell may tell how a process ended: ``train.sh: line 4: 123 Killed``."""
        colons = self.stamps.colons[:-3]
        places = colons[self.words[colons] & lanes("xxxxxxx.") == word(b": line ")]
        places = np.append(places, len(self.bytes))
        told: Mask = places[np.searchsorted(places, self.starts[rows])] < self.ends[rows]
        return told

    def _iterations(self, rows: Positions, at: Positions) -> None:
        """Lines ``Iteration N...``, N beginning at ``at``: test begins, rates and losses."""
        iteration, length = integer(self.words[at])
        after = at + length
        # Eight digits may be the first ones of a longer number: left to the exact reader.
        good = (length > 0) & (length < 8)
        if not good.all():
            rows, iteration, after = rows[good], iteration[good], after[good]
        self.batch.iteration[rows] = iteration
        next8, ends = self.words[after], self.ends[rows]
        testing = (next8 == word(b", Testin")) & (self.words[after + 8] == word(b"g net (#"))
        net = self.bytes[after + 16].astype(np.int64) - ord("0")
        testing &= (net >= 0) & (net <= 9) & (self.bytes[after + 17] == ord(")")) & (after + 18 == ends)
        self._settle(rows[testing], LineKind.TEST, Action.TEST_BEGIN)
        self.batch.label[rows[testing]] = net[testing]

        rate = (next8 & lanes("xxxxxxx.")) == word(b", lr = ")
        self._rates(rows[rate], after[rate] + 7, ends[rate])

        other = ~(testing | rate)
        rows, after, ends = rows[other], after[other], ends[other]
        equals, count = self._equals(after, ends)
        good = (count == 1) & (equals - 7 >= after) & (self.bytes[equals + 1] == ord(" "))
        before = self.words[equals - 7]
        self._early_rates(rows, after, equals, good & (before & lanes(".xxxxxxx") == word(b"\0), lr =")))
        good &= before == word(b", loss =")
        if not good.all():
            rows, equals, ends = rows[good], equals[good], ends[good]
        value, stop, good = self._values(equals + 2)
        good &= stop == ends
        self._settle(rows[good], LineKind.METRIC, Action.LOSS, value[good])

    def _early_rates(self, rows: Positions, after: Positions, equals: Positions, which: Mask) -> None:
        """``Iteration 56 (241.076/s), lr = V`` of NVCaffe 0.12."""
        near = np.flatnonzero(which & (self.words[after] & lanes("xx......") == word(b" (")))
        if not len(near):
            return
        rows, after, equals = rows[near], after[near] + 2, equals[near]
        width = equals - 6 - after
        window = self.text.window(after, _LABEL_WIDTH)
        inside = np.arange(_LABEL_WIDTH) < width[:, None]
        good = (width < _LABEL_WIDTH) & ~(((window == ord("(")) | (window == ord(")"))) & inside).any(axis=1)
        self._rates(rows[good], equals[good] + 2, self.ends[rows[good]])

    def _rates(self, rows: Positions, at: Positions, ends: Positions) -> None:
        value, stop, good = self._values(at)
        good &= (stop == ends) | (self.bytes[stop] == ord(",")) | (self.bytes[stop] == ord(" "))
        self._settle(rows[good], LineKind.METRIC, Action.RATE, value[good])

    def _outputs(self, rows: Positions, label: Positions, kind: LineKind, action: Action) -> None:
        """Lines ``Train|Test net output #i: name = V``, ``i: name`` beginning at ``label``."""
        good = self.bytes[label] - ord("0") <= 9
        rows, label = rows[good], label[good]
        known, equals, good = self._labelled(rows, label, self.labels)
        value, stop, numeric = self._values(equals + 2)
        weighted = (self.words[stop] & lanes("xxxx....")) == word(b" (* ")
        good &= numeric & ((stop == self.ends[rows]) | weighted)
        self._settle(rows[good], kind, action, value[good])
        self.batch.label[rows[good]] = known[good]

    def _batches(self, rows: Positions, at: Positions) -> None:
        """Lines ``Batch N, name = V``, N beginning at ``at``."""
        iteration, length = integer(self.words[at])
        label = at + length + 2
        good = (length > 0) & (length < 8) & (self.words[at + length] & lanes("xx......") == word(b", "))
        rows, label, iteration = rows[good], label[good], iteration[good]
        known, equals, good = self._labelled(rows, label, _Names(self.labels), most=1)
        value, stop, numeric = self._values(equals + 2)
        good &= numeric & (stop == self.ends[rows])
        self._settle(rows[good], LineKind.TEST, Action.BATCH, value[good])
        self.batch.label[rows[good]], self.batch.iteration[rows[good]] = known[good], iteration[good]

    def _passes(self, rows: Positions, at: Positions) -> None:
        """Lines ``Iteration: N forward-backward time: V ms.``, N beginning at ``at``."""
        iteration, length = integer(self.words[at])
        after = at + length
        good = (length > 0) & (length < 8) & (self.words[after] == word(b" forward"))
        good &= (self.words[after + 8] == word(b"-backwar")) & (self.words[after + 16] == word(b"d time: "))
        rows, after, iteration = rows[good], after[good], iteration[good]
        value, stop, good = self._values(after + 24)
        good &= (self.words[stop] & lanes("xxxx....") == word(b" ms.")) & (stop + 4 == self.ends[rows])
        self._settle(rows[good], LineKind.METRIC, Action.PASS, value[good])
        self.batch.iteration[rows[good]] = iteration[good]

    def _labelled(
        self, rows: Positions, label: Positions, labels: dict[bytes, int], most: int = 2
    ) -> tuple[Positions, Positions, Mask]:
        """Labels that begin at ``label``, the ``=`` after each, and which are known.

        ``most``: equals signs a line may have.
        """
        equals, count = self._equals(label, self.ends[rows])
        width = equals - 1 - label
        good = (count > 0) & (count <= most) & (width > 0) & (width <= _LABEL_WIDTH)
        good &= (self.bytes[equals - 1] == ord(" ")) & (self.bytes[equals + 1] == ord(" "))
        good &= self.bytes[equals - 2] != 0  # fixed-width strings would lose it
        known = np.full(len(rows), -1)
        texts = self.text.cut(label[good], width[good], _LABEL_WIDTH).tolist()
        known[good] = np.fromiter(map(labels.__getitem__, texts), np.intp, len(texts))
        return known, equals, good & (known >= 0)

    def _equals(self, begin: Positions, ends: Positions) -> tuple[Positions, Positions]:
        """The first ``=`` from ``begin`` on and the number of them before ``ends``."""
        first = np.searchsorted(self.equals, begin)
        count = np.searchsorted(self.equals, ends) - first
        place = np.append(self.equals, 1)[first]
        return np.where(count > 0, place, begin + 1), count

    def _values(self, begin: Positions) -> tuple[NDArray[np.float64], Positions, Mask]:
        """Numbers at ``begin``, where each ends, and which of them are numbers."""
        value, stop, good = self.text.decimals(begin)
        others = np.flatnonzero(~good)
        if len(others):
            value[others], stop[others], good[others] = self._odd_values(begin[others])
        return value, stop, good

    def _odd_values(self, begin: Positions) -> tuple[NDArray[np.float64], Positions, Mask]:
        raw = self.text.window(begin, VALUE_WIDTH)
        over = (raw <= ord(" ")) | (raw == ord(","))
        width = over.argmax(axis=1)
        good = width > 0
        text = self.text.cut(begin, width, VALUE_WIDTH)
        text[~good] = b"0"
        try:
            return text.astype(np.float64), begin + width, good
        except ValueError:
            numbers = [number(token) for token in text.tolist()]
            good &= np.array([value is not None for value in numbers])
            return np.array([value or 0.0 for value in numbers]), begin + width, good

    def _settle(
        self, rows: Positions, kind: LineKind, action: Action, value: NDArray[np.float64] | None = None
    ) -> None:
        self.settled[rows] = True
        self.batch.kind[rows] = kind
        self.batch.action[rows] = action
        if value is not None:
            self.batch.value[rows] = value
