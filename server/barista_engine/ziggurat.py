"""Normally distributed numbers from random bits by the ziggurat method, as Boost draws them.

G. Marsaglia, W. W. Tsang, The Ziggurat Method for Generating Random Variables, J. Stat. Software 5 (2000):
the area under a falling density is covered by layers of equal area; layer i reaches to x[i] and lies between
the heights y[i] and y[i + 1]. A draw takes a layer and a place in it; nearly always that place is under the
curve in the whole layer, and the number is found with one word.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
Floats = NDArray[np.float32]

_F32 = np.float32
_MARGIN = 512
"""Words kept for the last number begun: one that ends in the tail takes several."""


@dataclass(frozen=True, slots=True)
class _Layers:
    """Right ends x and heights y of the layers, a further one at the top; their single-precision forms."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x32: Floats
    y32: Floats
    height32: Floats
    width32: Floats


def _layers(ends: list[float], heights: list[float]) -> _Layers:
    x, y = np.array(ends), np.array(heights)
    return _Layers(
        x, y, x.astype(_F32), y.astype(_F32), np.diff(y).astype(_F32), (x[:-1] - x[1:]).astype(_F32)
    )


def _normal_layers() -> _Layers:
    """128 layers under exp(-x²/2)."""
    start = 3.4426198558966521214
    area = start * math.exp(-start * start / 2) + math.sqrt(math.pi / 2) * math.erfc(start / math.sqrt(2))
    ends = [area / math.exp(-start * start / 2), start]
    while len(ends) < 128:
        ends.append(math.sqrt(-2 * math.log(area / ends[-1] + math.exp(-(ends[-1] ** 2) / 2))))
    return _layers([*ends, 0.0], [0.0, *(math.exp(-x * x / 2) for x in ends[1:]), 1.0])


def _exponential_layers() -> _Layers:
    """256 layers under exp(-x)."""
    start = 7.6971174701310497140
    area = (start + 1) * math.exp(-start)
    ends = [start + 1, start]
    while len(ends) < 256:
        ends.append(-math.log(area / ends[-1] + math.exp(-ends[-1])))
    return _layers([*ends, 0.0], [0.0, *(math.exp(-x) for x in ends[1:]), 1.0])


_NORMAL = _normal_layers()
_EXPONENTIAL = _exponential_layers()


def normal(words: Words, count: int) -> tuple[Floats, int]:
    """Up to `count` numbers of mean 0 and deviation 1 from the words, and how many words they took.

    Fewer numbers come where the words do not suffice; 600 words are enough for at least one.
    """
    layer = (words & np.uint32(255)).astype(np.intp)
    negative = (layer & 1) == 0
    layer >>= 1
    x = (words >> np.uint32(8)).astype(_F32) * _F32(2.0**-24) * _NORMAL.x32[layer]
    emitted = x < _NORMAL.x[layer + 1]
    emitted[len(words) - _MARGIN :] = False
    slow = np.flatnonzero(~emitted[: len(words) - _MARGIN])
    lengths = dict(_settle(words, x, layer, slow, emitted))
    at = np.flatnonzero(emitted)[:count]
    if not len(at):
        return np.empty(0, _F32), 0
    numbers = x[at]
    np.negative(numbers, out=numbers, where=negative[at])
    last = int(at[-1])
    return numbers, last + lengths.get(last, 1)


def _settle(
    words: Words, x: Floats, layer: NDArray[np.intp], slow: NDArray[np.intp], emitted: NDArray[np.bool_]
) -> Iterator[tuple[int, int]]:
    """Decide the draws that need more than a word: sets x and emitted; (place, words taken) of each."""
    good = _under_curve(words, x, layer, slow)
    free = 0
    for place, accepted in zip(slow.tolist(), good.tolist(), strict=True):
        if place < free:  # was the second word of the draw before
            continue
        taken = 2
        if layer[place] == 0:
            x[place], taken = _tail(words, place + 1)
            accepted = True
        elif words[place + 1] >= 0xFFFFFF80:  # rounds to 1, which is drawn anew
            accepted = bool(_under_curve(words, x, layer, np.array([place]), 1)[0])
            taken = 3
        emitted[place] = accepted
        emitted[place + 1 : place + taken] = False
        free = place + taken
        yield place, taken


def _under_curve(
    words: Words, x: Floats, layer: NDArray[np.intp], places: NDArray[np.intp], later: int = 0
) -> NDArray[np.bool_]:
    """Whether the draws at these places, each with the next word for its height, lie under the curve."""
    t, i, x = _NORMAL, layer[places], x[places]
    share = words[places + 1 + later].astype(_F32) * _F32(2.0**-32)
    height = t.y32[i] + share * t.height32[i]
    beyond = t.x32[i] - x
    to_chord = t.width32[i] * share - beyond
    to_tangent = height - (t.y32[i] + beyond * t.y32[i] * t.x32[i])
    convex = t.x[i] >= 1
    over = np.where(convex, to_chord, to_tangent)
    under = np.where(convex, to_tangent, to_chord)
    curve = np.exp(-(x * x / _F32(2)), dtype=np.float64).astype(_F32)  # as exact as the C library's expf
    good: NDArray[np.bool_] = (over < 0) & ((under < 0) | (height < curve))
    return good


def _tail(words: Words, begin: int) -> tuple[np.float32, int]:
    """A number beyond the last layer, and the words it took with the one that led here."""
    start, at = _NORMAL.x32[1], begin
    while True:
        x, at = _exponential(words, at)
        x /= start
        y, at = _exponential(words, at)
        if 2 * y > x * x:
            return x + start, at - begin + 1


def _exponential(words: Words, at: int) -> tuple[np.float32, int]:
    """An exponentially distributed number from the words at a place, and the place behind them."""
    t, shift = _EXPONENTIAL, _F32(0)
    while True:
        word, at = int(words[at]), at + 1
        i, x = word & 255, _F32(word >> 8) * _F32(2.0**-24) * t.x32[word & 255]
        if x < t.x32[i + 1]:
            return shift + x, at
        if i == 0:
            shift += t.x32[1]
            continue
        while (share := _F32(words[at]) * _F32(2.0**-32)) >= 1:
            at += 1
        at += 1
        height = t.y32[i] + share * t.height32[i]
        to_chord = t.width32[i] * share - (t.x32[i] - x)
        to_tangent = height - (t.y32[i + 1] + (t.x32[i + 1] - x) * t.y32[i + 1])
        if to_chord < 0 and (to_tangent < 0 or height < _F32(math.exp(-x))):
            return x + shift, at
