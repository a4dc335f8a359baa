"""What is plotted: curves of sessions, which metrics have one, and how the person looks at them."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from barista_server.api.messages import Place, Series, SeriesKey
from barista_tui.store import Key

SMOOTHING = (0.0, 0.8, 0.95)
"""Weights of the exponential mean: off, a little, much."""

Axis = Literal["iteration", "time", "clock"]
"""``time``: seconds since the session's first run began; ``clock``: seconds of Unix."""
AXES: tuple[Axis, ...] = ("iteration", "time", "clock")

Style = Literal["solid", "dotted", "dashed"]


class Name(NamedTuple):
    """Which curve: a metric of a session of a host."""

    session: Key
    key: SeriesKey


class View(Struct, frozen=True):
    """How the person wants to look: ``x0``/``x1`` bound the axis (None: all there is).

    ``log``, ``log_right``, ``log_x``: the left, the right, the x axis is logarithmic.
    """

    axis: Axis = "iteration"
    log: bool = False
    smooth: int = 0
    x0: float | None = None
    x1: float | None = None
    log_right: bool = False
    log_x: bool = False


class Choice(Struct, frozen=True):
    """What differs from the usual choice; metrics by their names (:func:`text_of`), in all sessions."""

    shown: frozenset[str] = frozenset()
    """Metrics that have a curve though they usually have none."""
    hidden: frozenset[str] = frozenset()
    swapped: frozenset[str] = frozenset()
    """Metrics on the other y axis."""
    off: frozenset[str] = frozenset()
    """Curves of single sessions that are switched off, as ``host/id metric``."""


class Curve(Struct, frozen=True, dict=True):
    """One metric of one session in the order of ``x``.

    ``low`` and ``high`` bound each bucket, NaN where it has none; ``line`` and ``run`` tell its last point.
    """

    name: Name
    title: str
    """The session's."""
    label: str
    """The metric's, as people read it."""
    x: array[float]
    low: array[float]
    high: array[float]
    nonfinite: array[float]
    line: array[int] = field(default_factory=lambda: array("q"))
    run: array[int] = field(default_factory=lambda: array("i"))
    best: Place | None = None
    """Its least value, or its greatest, where that is better; None where nobody can say."""
    right: bool = False
    """It belongs to the right y axis."""
    slot: int = 0
    """Number that its colour and sign are taken by."""
    off: bool = False
    points: int = 0

    @property
    def key(self) -> SeriesKey:
        return self.name.key

    @property
    def style(self) -> Style:
        """Solid for training, dotted for tests, dashed for the learning rate."""
        if self.key.phase == "test":
            return "dotted"
        return "dashed" if is_rate(self.key) else "solid"

    @cached_property
    def last(self) -> float | None:
        """The last finite value."""
        return next((value for value in reversed(self.high) if math.isfinite(value)), None)

    def nearest(self, x: float) -> int | None:
        """The bucket whose x is nearest; None without any."""
        if not self.x:
            return None
        place = bisect_left(self.x, x)
        if place == len(self.x) or (place and x - self.x[place - 1] <= self.x[place] - x):
            place -= 1
        return place


def text_of(key: SeriesKey) -> str:
    """A metric in a word that settings can keep: ``train.loss``, ``test1.accuracy#0``."""
    net = str(key.net) if key.net else ""
    output = f"#{key.output}" if key.output >= 0 else ""
    return f"{key.phase}{net}.{key.name}{output}"


def session_words(curves: Iterable[Curve]) -> dict[Key, str]:
    """What tells sessions apart: nothing where there is one, its id, or its host too where these differ."""
    keys = dict.fromkeys(each.name.session for each in curves)
    hosts = {key.host for key in keys}
    if len(keys) < 2:
        return dict.fromkeys(keys, "")
    return {key: f"{key.host}:{key.session}" if len(hosts) > 1 else key.session for key in keys}


def label_of(key: SeriesKey) -> str:
    """A metric as people read it: ``train loss``, ``lr``, ``test accuracy``; ``test #1 loss`` of the second
    test net; ``loss #0`` for an output of the train net.
    """
    if key.phase == "train":
        return (
            f"{key.name} #{key.output}"
            if key.output >= 0
            else "train loss"
            if key.name == "loss"
            else key.name
        )
    net = f" #{key.net}" if key.net else ""
    return f"test{net} {key.name}"


def labels_of(keys: Iterable[SeriesKey]) -> dict[SeriesKey, str]:
    """The labels, with the output's number where two would be the same."""
    known = list(keys)
    labels = [label_of(key) for key in known]
    return {
        key: f"{label} #{key.output}" if labels.count(label) > 1 and key.phase == "test" else label
        for key, label in zip(known, labels, strict=True)
    }


def usual_keys(keys: Iterable[SeriesKey]) -> list[SeriesKey]:
    """The metrics worth a curve, most important first: train loss, then the outputs of the test nets.

    The raw training outputs are left out where the smoothed loss is there, and so is the learning rate.
    """
    known = list(keys)
    smoothed = [key for key in known if key.phase == "train" and key.output < 0 and key.name == "loss"]
    train = smoothed or [key for key in known if key.phase == "train" and key.output >= 0]
    tests = sorted(
        (key for key in known if key.phase == "test"), key=lambda key: (key.net, key.name != "loss")
    )
    return [*train[:2], *tests[:6]]


def chosen_keys(keys: Iterable[SeriesKey], choice: Choice) -> list[SeriesKey]:
    """The usual metrics as the person changed them."""
    known = list(keys)
    usual = [key for key in usual_keys(known) if text_of(key) not in choice.hidden]
    return usual + [key for key in known if text_of(key) in choice.shown and key not in usual]


def toggled(choice: Choice, key: SeriesKey, known: Iterable[SeriesKey]) -> Choice:
    """The choice with that metric shown if it is not, hidden if it is."""
    word, usual = text_of(key), key in usual_keys(known)
    if usual:
        return replace(choice, hidden=choice.hidden ^ {word})
    return replace(choice, shown=choice.shown ^ {word})


def is_share(key: SeriesKey) -> bool:
    """A metric that lies between 0 and 1 by its nature."""
    name = key.name.lower()
    return "loss" not in name and any(word in name for word in ("acc", "top", "precision", "recall"))


def is_rate(key: SeriesKey) -> bool:
    """The learning rate."""
    return key.phase == "train" and key.output < 0 and key.name in ("lr", "learning_rate")


def better(key: SeriesKey) -> Literal["least", "greatest", ""]:
    """Which of its values is the best one."""
    if is_rate(key):
        return ""
    if is_share(key):
        return "greatest"
    return "least" if any(word in key.name.lower() for word in ("loss", "err")) else ""


def on_right(keys: Sequence[SeriesKey], choice: Choice) -> dict[SeriesKey, bool]:
    """Which metrics have the right y axis: shares and rates beside anything else; the person may swap."""
    other = any(not (is_share(key) or is_rate(key)) for key in keys)
    first = keys[0] if keys else None
    made = {}
    for key in keys:
        scale = (is_share(key), is_rate(key))
        usual = any(scale) if other else first is not None and scale != (is_share(first), is_rate(first))
        made[key] = usual ^ (text_of(key) in choice.swapped)
    return made


def curve(series: Series, name: Name, title: str, label: str, shift: float = 0.0) -> Curve:
    """Read the arrays of one window; ``shift`` is added to each x."""
    x, nonfinite = array("d", series.x), array("d", series.nonfinite)
    if shift:
        x, nonfinite = (array("d", [at + shift for at in some]) for some in (x, nonfinite))
    way = better(series.key)
    best = series.least if way == "least" else series.greatest if way else None
    if best is not None and shift:
        best = Place(best.x + shift, best.y, best.line, best.run)
    return Curve(
        name=name,
        title=title,
        label=label,
        x=x,
        low=array("d", series.low),
        high=array("d", series.high),
        nonfinite=nonfinite,
        line=array("q", series.line),
        run=array("i", series.run),
        best=best,
        points=series.points,
    )


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Exponential mean, free of the bias to the first value; NaN stays NaN and does not spread."""
    mean, norm = 0.0, 0.0
    out = []
    for number in values:
        if math.isfinite(number):
            mean = weight * mean + (1 - weight) * number
            norm = weight * norm + (1 - weight)
            out.append(mean / norm)
        else:
            out.append(math.nan)
    return out


def points(each: Curve, view: View) -> list[tuple[float, float] | None]:
    """The line to draw in its units, None where it breaks (NaN, or what a logarithm cannot show).

    A bucket with a spike contributes both its ends; smoothing is of training only.
    """
    weight = SMOOTHING[view.smooth] if each.key.phase == "train" and not is_rate(each.key) else 0.0
    log = view.log_right if each.right else view.log
    low: Sequence[float] = each.low
    high: Sequence[float] = each.high
    if weight:
        low = high = smoothed([(a + b) / 2 for a, b in zip(low, high, strict=True)], weight)
    line: list[tuple[float, float] | None] = []
    least = 0.0 if log else -math.inf
    for x, a, b in zip(each.x, low, high, strict=True):
        if view.log_x and x <= 0:
            continue
        if not least < a < math.inf:
            line.append((x, b) if least < b < math.inf else None)
            continue
        line.append((x, a))
        if b != a:
            line.append((x, b))
    return line
