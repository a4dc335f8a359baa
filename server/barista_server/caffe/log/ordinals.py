"""Numbers for the outputs of ``caffe test``, which prints their names only: several may have the same one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .batch import Batch, NoteKind

MAX_OUTPUTS = 2000
_RESETS = {NoteKind.TOTAL_LOSS, NoteKind.DEVICE, NoteKind.TEST_TOOL}


class Ordinals:
    """Counts the values of each batch."""

    def __init__(self) -> None:
        self._batch = -1
        self._count = 0
        self._last = 0
        self._rows = np.empty(0, np.intp)
        self._ordinal = np.empty(0, np.int64)

    def count(self, batch: Batch, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """Number of each value in ``rows`` within its batch; -1 for those beyond ``MAX_OUTPUTS``."""
        if len(self._ordinal):
            self._last = int(self._ordinal[-1]) + 1
        resets = np.array([note.row for note in batch.notes if note.kind in _RESETS], np.intp)
        iteration, age = batch.iteration[rows], np.searchsorted(resets, rows)
        index = np.arange(len(rows))
        if len(rows):
            fresh = np.ones(len(rows), bool)
            fresh[0] = iteration[0] != self._batch or age[0] > 0
            fresh[1:] = (np.diff(iteration) != 0) | (np.diff(age) != 0)
            begun = np.maximum.accumulate(np.where(fresh, index, -1))
            index = np.where(begun < 0, index + self._count, index - begun)
            self._batch, self._count = int(iteration[-1]), int(index[-1]) + 1
        if len(resets) and (not len(rows) or resets[-1] > rows[-1]):
            self._batch, self._count = -1, 0
        self._rows, self._ordinal = rows, index
        return np.where(index < MAX_OUTPUTS, index, -1)

    def values(self, row: int) -> int:
        """How many values the last batch before message ``row`` has."""
        before = int(np.searchsorted(self._rows, row))
        return int(self._ordinal[before - 1]) + 1 if before else self._last
