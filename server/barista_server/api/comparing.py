"""What the messages say of what tells sessions apart: their settings, and what they came to."""

from __future__ import annotations

from typing import Literal

from barista_server.api.things import Message, SeriesKey


class FieldChange(Message, frozen=True):
    """A field of a block: dotted path, and what each has written there, as in a prototxt.

    None: nothing; then ``old_default`` or ``new_default`` is what holds instead, if Caffe has a default.
    """

    field: str
    old: str | None = None
    new: str | None = None
    old_default: str = ""
    new_default: str = ""


class LayerChange(Message, frozen=True):
    """A layer that is not the same in both nets, or stands elsewhere (``moved``). Places count from 1."""

    kind: Literal["added", "removed", "renamed", "changed", "moved"]
    name: str
    type: str
    new_name: str = ""
    """Of a renamed one."""
    phase: Literal["", "TRAIN", "TEST"] = ""
    """Where its rules leave it one."""
    moved: bool = False
    old_place: int | None = None
    new_place: int | None = None
    fields: list[FieldChange] = []


class NetChanges(Message, frozen=True):
    """One net: the file's, or one that is written in the solver."""

    title: str
    fields: list[FieldChange] = []
    """Of the net as a whole."""
    layers: list[LayerChange] = []
    notes: list[str] = []
    """What was brought up to date to be compared: ``old: ...``."""


class Settings(Message, frozen=True):
    """Solver and net as texts, ``name``: what to call them in errors."""

    solver: str
    net: str
    name: str = ""


class MetricBest(Message, frozen=True):
    """A metric: its last point, and the best finite ones there were. Iterations; None where it has none."""

    key: SeriesKey
    points: int
    last: float
    last_at: int
    least: float | None = None
    least_at: int | None = None
    greatest: float | None = None
    greatest_at: int | None = None


# ----------------------------------------------------------------------------------------------------- calls


class DiffSettings(Message, frozen=True, tag="diff-settings"):
    """What tells solver and net of two sessions apart, as Caffe understands them. Answered by
    :class:`SettingsDiff`.

    Each is a session of the host, or its texts, as for one of another host.
    """

    old: str | Settings
    new: str | Settings


class SummarizeSession(Message, frozen=True, tag="summarize"):
    """What a session, or an imported log, is compared by. Answered by :class:`Summary`."""

    session: str


# --------------------------------------------------------------------------------------------------- results


class SettingsDiff(Message, frozen=True, tag="settings-diff"):
    """``same``: Caffe would do the same with both."""

    same: bool
    solver: list[FieldChange]
    nets: list[NetChanges]


class Summary(Message, frozen=True, tag="summary"):
    """``solver``: what is set or holds by default, as text by field. Of an imported log there are only
    results.
    """

    session: str
    solver: dict[str, str] = {}
    net: str = ""
    layers: int | None = None
    """Of the train net."""
    parameters: int | None = None
    batch: int | None = None
    """Of the train net's first data layer, and of the first test net's."""
    test_batch: int | None = None
    inputs: list[str] = []
    """What data layers read."""
    problem: str = ""
    """Why nothing, or not all, is known of its settings."""
    seconds: float = 0.0
    """Of training, over all runs."""
    speed: float | None = None
    """Iterations per second over all that was trained."""
    metrics: list[MetricBest] = []


CompareCall = DiffSettings | SummarizeSession
CompareResult = SettingsDiff | Summary
COMPARE_LOOKS: frozenset[type[Message]] = frozenset({DiffSettings, SummarizeSession})
