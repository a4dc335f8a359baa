"""Reads the regular lines of a block all at once, with numpy over 8-byte words.

Lines that are not exactly as expected are left to :mod:`.exact`; what is settled here reads the same there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .bare import Bare
from .batch import Action, Batch, Labels
from .exact import CREATING, SPOKEN, number
from .index import LineKind
from .stamps import Stamps
from .words import (
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
        bare = Bare(self.text, self.starts, self.ends, self.stamps)
        plain, speaking = bare.read(rest)
        self.settled[plain] = True
        rows, message = self._untagged(*found)
        self.batch.prefixed[rows[message >= self.ends[rows]]] = False
        self._spoken(rows, message, prefixed=True)
        if len(speaking.rows):
            self._spoken(*speaking, prefixed=False)
        return self.settled

    def _spoken(self, rows: Positions, message: Positions, *, prefixed: bool) -> None:
        """What these messages say; without a prefix only what is surely meant."""
        key = self.words[message]
        rest = np.ones(len(rows), bool)
        displays = np.flatnonzero(key == word(b"Iteratio"))
        after = self.words[message[displays] + 2]
        iteration = displays[after == word(b"eration ")]
        passes = displays[after == word(b"eration:")]
        passes = passes[self.bytes[message[passes] + 10] == ord(" ")]
        train = np.flatnonzero(key == word(b"Train ne"))
        train = train[self.words[message[train] + 10] == word(b"output #")]
        train = train[self.words[message[train] + 8] & lanes("xx......") == word(b"t ")]
        test = np.flatnonzero(key == word(b"Test net"))
        test = test[self.words[message[test] + 9] == word(b"output #")]
        test = test[self.bytes[message[test] + 8] == ord(" ")]
        for which in (iteration, passes, train, test):
            rest[which] = False
        self._iterations(rows[iteration], message[iteration] + 10)
        self._outputs(rows[train], message[train] + 18, LineKind.METRIC, Action.TRAIN_OUTPUT)
        self._outputs(rows[test], message[test] + 17, LineKind.TEST, Action.TEST_OUTPUT)
        if len(passes):
            self._passes(rows[passes], message[passes] + 11)
        if prefixed:
            self._others(rows[rest], message[rest], key[rest])

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

    def _others(self, rows: Positions, message: Positions, key: Words) -> None:
        """All but displays and net outputs."""
        batches = key & lanes("xxxxxx..") == word(b"Batch ")
        clipping = (key == word(b"Gradient")) & (self.words[message + 8] == word(b" clippin"))
        clipping &= self.bytes[message + 16] == ord("g")
        scores, classes = key == word(b"Test sco"), key & lanes("xxxxx...") == word(b"class")
        begins = (
            (key == word(b"Testing "))
            & (self.words[message + 3] == word(b"ting net"))
            & (message + 11 == self.ends[rows])
        )
        if batches.any():
            self._batches(rows[batches], message[batches] + 6)
        if scores.any():
            self._scores(rows[scores], message[scores])
        if classes.any():
            self._classes(rows[classes], message[classes])
        if begins.any():
            # Before 2014-02 a test did not say its iteration.
            self._settle(rows[begins], LineKind.TEST, Action.TEST_BEGIN)
            self.batch.iteration[rows[begins]] = -1
        self._settle(rows[clipping], LineKind.METRIC, Action.CLIPPING)
        rest = ~(batches | clipping | scores | classes | begins)
        rows, message, key = rows[rest], message[rest], key[rest]
        meant = np.isin(key, _SPOKEN) | (key & lanes("xxxxxx..") == word(b"Loss: "))
        creating = np.flatnonzero(key == word(b"Creating"))
        meant[creating] = np.isin(self.words[message[creating] + 8], _CREATED)
        level = self.stamps.level[rows]
        quiet = np.isin(key, _QUIET)
        plain = ~meant & ((level == ord("I")) | (quiet & (level == ord("E"))))
        self.settled[rows[plain]] = True
        warning = ~meant & (level == ord("W"))
        self.settled[rows[warning]] = True
        self.batch.kind[rows[warning]] = LineKind.WARNING

    def _long_integer(self, at: Positions) -> tuple[NDArray[np.int64], Positions]:
        """Numbers of up to 15 digits at ``at`` and their lengths; longer ones have length 0."""
        value, length = integer(self.words[at])
        full = np.flatnonzero(length == 8)
        if len(full):
            more, count = integer(self.words[at[full] + 8])
            value[full] = value[full] * 10**count + more
            length[full] = np.where(count < 8, 8 + count, 0)
        return value, length

    def _iterations(self, rows: Positions, at: Positions) -> None:
        """Lines ``Iteration N...``, N beginning at ``at``: test begins, rates and losses."""
        iteration, length = self._long_integer(at)
        after = at + length
        good = length > 0
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

    def _scores(self, rows: Positions, message: Positions) -> None:
        """Lines ``Test score #i: V`` of 2014 and before."""
        digit = self.bytes[message + 12]
        good = (self.words[message + 4] == word(b" score #")) & (digit - ord("0") <= 9)
        good &= self.words[message + 13] & lanes("xx......") == word(b": ")
        rows, message, digit = rows[good], message[good], digit[good]
        value, stop, good = self._values(message + 15)
        good &= (stop == self.ends[rows]) | (self.bytes[stop] == ord(" "))
        names = np.array([self.labels[b"%d: score%d" % (i, i)] for i in np.unique(digit - ord("0"))])
        known = names[np.searchsorted(np.unique(digit), digit)] if len(names) else np.empty(0, np.int64)
        good &= known >= 0
        self._settle(rows[good], LineKind.TEST, Action.TEST_OUTPUT, value[good])
        self.batch.label[rows[good]] = known[good]

    def _classes(self, rows: Positions, message: Positions) -> None:
        """Lines ``class3: V`` of SSD."""
        _, length = integer(self.words[message + 5])
        width = 5 + length
        good = (length > 0) & (length < 8) & (self.words[message + width] & lanes("xx......") == word(b": "))
        rows, message, width = rows[good], message[good], width[good]
        value, stop, good = self._values(message + width + 2)
        good &= stop == self.ends[rows]
        texts = self.text.cut(message, width, VALUE_WIDTH).tolist()
        known = np.fromiter(map(_Names(self.labels).__getitem__, texts), np.intp, len(texts))
        good &= known >= 0
        self._settle(rows[good], LineKind.TEST, Action.TEST_OUTPUT, value[good])
        self.batch.label[rows[good]] = known[good]

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
