"""Caffe's random numbers: equal seeds give equal draws.

A stream is Boost's mt19937 with Boost's distributions, in single precision as Caffe uses them, so that a
solver with a `random_seed` begins with the weights that a Caffe built with Boost 1.56 or later begins with,
drops the same numbers and crops the same windows. HDF5Data alone shuffles by the C library's `rand`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, MutableSequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from barista_engine.ziggurat import normal

Words = NDArray[np.uint32]
Floats = NDArray[np.float32]
T = TypeVar("T")

_BLOCK = 4096
_GAUSSIANS = 1 << 20
_RANGE = 1 << 32


class Stream:
    """A stream of random numbers, drawn one after the other: the order of calls matters."""

    def __init__(self, seed: int) -> None:
        """`seed` counts modulo 2**32."""
        self.seed = seed % _RANGE
        self._twister = np.random.RandomState(self.seed)
        self._held = np.empty(0, np.uint32)

    def word(self) -> int:
        """The next 32 random bits."""
        return int(self._take(1)[0])

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1, by the remainder as Caffe draws it."""
        return self.word() % bound

    def uniform(self, count: int, low: float, high: float) -> Floats:
        """Numbers from `low` to `high`, both included."""
        bottom, top = np.float32(low), np.nextafter(np.float32(high), np.float32(np.inf))
        parts: list[Floats] = []
        missing = count
        while missing > 0:
            drawn = self._take(missing).astype(np.float32)
            drawn *= np.float32(1 / _RANGE)
            drawn *= top - bottom
            drawn += bottom
            parts.append(drawn[drawn < top])  # rounding may have reached the end, which is drawn anew
            missing -= len(parts[-1])
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])

    def gaussian(self, count: int, mean: float, std: float) -> Floats:
        """Normally distributed numbers."""
        parts = []
        missing = count
        while missing > 0:
            # about 1.013 words a number; what is left over goes back
            words = self._take(min(missing, _GAUSSIANS) * 33 // 32 + 1024)
            drawn, used = normal(words, min(missing, _GAUSSIANS))
            self._held = np.concatenate((words[used:], self._held))
            parts.append(drawn * np.float32(std) + np.float32(mean))
            missing -= len(drawn)
        return np.concatenate([np.empty(0, np.float32), *parts])

    def bernoulli(self, count: int, chance: float) -> NDArray[np.bool_]:
        """True with the given chance, compared in double precision as dropout does."""
        if chance == 0:
            return np.zeros(count, bool)
        bound = int(chance * (_RANGE - 1))  # word <= chance * (2**32 - 1)
        drawn: NDArray[np.bool_] = self._take(count) <= np.uint32(min(bound, _RANGE - 1))
        return drawn

    def bernoulli_single(self, count: int, chance: float) -> NDArray[np.bool_]:
        """The same compared in single precision, as sparse fillers do."""
        if chance == 0:
            return np.zeros(count, bool)
        bound = np.float32(chance) * np.float32(_RANGE - 1)
        drawn: NDArray[np.bool_] = self._take(count).astype(np.float32) <= bound
        return drawn

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put items in a new order, in place: from the last on, each changes places with one up to it."""
        lasts = np.arange(len(items) - 1, 0, -1)
        for last, other in zip(lasts.tolist(), self._upto(lasts), strict=True):
            items[last], items[other] = items[other], items[last]

    def _upto(self, bounds: NDArray[np.int64]) -> Iterator[int]:
        """A number from 0 to each bound, by buckets of equal size."""
        sizes, rests = np.divmod(_RANGE - 1, bounds + 1)
        sizes += rests == bounds
        words = self._take(len(bounds))
        found = words // sizes
        if (found <= bounds).all():
            yield from found.tolist()
            return
        self._held = np.concatenate((words, self._held))  # a word beyond the last bucket is drawn anew
        for bound, size in zip(bounds.tolist(), sizes.tolist(), strict=True):
            while (number := self.word() // size) > bound:
                pass
            yield number

    def _take(self, count: int) -> Words:
        """The next `count` words."""
        if count > len(self._held):
            fresh = self._twister.randint(
                0, _RANGE, size=max(count - len(self._held), _BLOCK), dtype=np.uint32
            )
            self._held = np.concatenate((self._held, fresh)) if len(self._held) else fresh
        taken, self._held = self._held[:count], self._held[count:]
        return taken


def open_stream(seed: int = -1) -> Stream:
    """The stream of a solver's `random_seed`; a negative one means any seed."""
    return Stream(seed if seed >= 0 else secrets.randbits(32))


class LibraryRandom:
    """The C library's `rand` (glibc), never seeded: Caffe shuffles HDF5 rows with it, whatever the seed."""

    def __init__(self) -> None:
        state = [1]
        for _ in range(30):
            state.append(16807 * state[-1] % 0x7FFFFFFF)
        state += state[:3]
        self._state = state
        for _ in range(310):
            self._next()

    def shuffle(self, items: NDArray[np.int64]) -> None:
        """Put items in a new order, in place, as libstdc++'s random_shuffle does."""
        for index in range(1, len(items)):
            other = (self._next() >> 1) % (index + 1)
            items[[index, other]] = items[[other, index]]

    def _next(self) -> int:
        state = self._state
        state.append((state[-3] + state[-31]) % _RANGE)
        del state[0]
        return state[-1]
