"""Random numbers are those of Boost 1.74 and of glibc: the figures here were printed by C++ programs."""

from __future__ import annotations

import numpy as np
import pytest

from barista_engine.rng import LibraryRandom, Stream, open_stream

COUNT = 2_000_000
SHUFFLED = [68, 35, 75, 1, 53, 45, 61, 91]
LIBRARY_SHUFFLED_TWICE = [39, 5, 93, 43, 47, 4, 27, 67]


def test_distributions_follow_each_other_as_in_boost() -> None:
    """One stream through all of them: a number drawn too much anywhere would change everything behind it."""
    stream = Stream(1701)
    gaussian = stream.gaussian(COUNT, 0.5, 0.01)
    first = np.array([0.49890733, 0.4832806, 0.49795222, 0.4947285, 0.48706535, 0.505729], np.float32)
    assert np.array_equal(gaussian[:6], first)
    assert gaussian.sum(dtype=np.float64) == pytest.approx(999990.2319370508, abs=1e-4)
    # Beyond 3.44 deviations numbers come from the tail, by another way.
    assert (gaussian.min(), gaussian.max()) == (np.float32(0.45098907), np.float32(0.54838765))
    uniform = stream.uniform(COUNT, -0.3, 0.3)
    first = np.array([0.19416934, -0.11749032, -0.1427184, -0.02669707], np.float32)
    assert np.array_equal(uniform[:4], first)
    assert stream.bernoulli(COUNT, 0.3).sum() == 598554
    order = np.arange(100)
    stream.shuffle(order)
    assert order[:8].tolist() == SHUFFLED


@pytest.mark.parametrize("pieces", [[1] * 50, [7, 3000, 1], [5000, 0, 9]])
def test_a_stream_is_the_same_in_pieces(pieces: list[int]) -> None:
    whole, parts = Stream(3), Stream(3)
    drawn = np.concatenate([parts.gaussian(count, 0, 1) for count in pieces])
    assert np.array_equal(drawn, whole.gaussian(sum(pieces), 0, 1))
    assert parts.word() == whole.word()


def test_the_twister_is_the_standard_one() -> None:
    assert Stream(5489).word() == 3499211612
    assert Stream(5489 + 2**32).word() == 3499211612


def test_chances_of_nothing_and_all() -> None:
    stream = Stream(1)
    assert not stream.bernoulli(100, 0).any() and not stream.bernoulli_single(100, 0).any()
    assert stream.bernoulli(100, 1).all() and stream.bernoulli_single(100, 1).all()
    assert Stream(1).word() != stream.word()


def test_a_rejected_word_is_drawn_anew() -> None:
    """A bound near 2**31 makes every other word one too many."""
    bounds = np.full(1000, 2**31 - 1 + 2**30)
    numbers = list(Stream(2)._upto(bounds))
    assert len(numbers) == 1000 and max(numbers) <= bounds[0]
    words = [word for word in Stream(2)._take(4000).tolist() if word <= bounds[0]]
    assert numbers == words[:1000]


def test_shuffling_keeps_everything() -> None:
    items = list("abcdefg")
    Stream(4).shuffle(items)
    assert sorted(items) == list("abcdefg") and items != list("abcdefg")
    one = ["a"]
    Stream(4).shuffle(one)
    assert one == ["a"]


def test_the_librarys_shuffle() -> None:
    order, random = np.arange(100), LibraryRandom()
    random.shuffle(order)
    random.shuffle(order)
    assert order[:8].tolist() == LIBRARY_SHUFFLED_TWICE


def test_a_negative_seed_is_any() -> None:
    assert open_stream(7).seed == 7
    assert len({open_stream().seed for _ in range(4)}) > 1
