"""Sessions beside each other: a row for each, a column for each setting and result. Pure."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from barista_server.api.messages import MetricBest, SessionInfo, Summary
from barista_server.api.text import clean_name
from barista_tui import format as fmt

_HIGH = re.compile(r"acc|top[-_ ]?\d|precision|recall|\bmap\b|mean_?ap|f1|iou|auc|score|hit", re.IGNORECASE)
"""Names of metrics of which more is better; of all others less is."""
_PARTS = re.compile(r"(\d+)")

Value = str | float | int | None
Group = Literal["setting", "result"]


class Entry(Struct, frozen=True):
    """A session to be compared. ``host`` is as people call it; ``summary`` None: not known (yet)."""

    session: SessionInfo
    host: str = ""
    summary: Summary | None = None

    @property
    def title(self) -> str:
        """``7 lenet``; ``gpu01:7 lenet`` where the host is told."""
        where = f"{self.host}:" if self.host else ""
        return f"{where}{self.session.id} {clean_name(self.session.name)}"


class Column(Struct, frozen=True):
    """``values``: one for each entry, in their order; None where it has none."""

    name: str
    group: Group
    values: tuple[Value, ...]
    best: Literal["", "high", "low"] = ""
    """Which of its values is the best one, where one is."""

    @property
    def texts(self) -> list[str]:
        """As people read them."""
        show = _SHOWN.get(self.name) or (fmt.value if self.best else str)
        return ["" if value is None else show(value) for value in self.values]  # type: ignore[arg-type]

    @property
    def numeric(self) -> bool:
        """All it has are numbers."""
        return all(isinstance(value, int | float) for value in self.values if value is not None)

    def differs(self, among: Sequence[int]) -> bool:
        """Not the same for all at these places."""
        return len({str(self.values[place]) for place in among}) > 1

    @property
    def winners(self) -> set[int]:
        """Places of the best value, if there are worse ones."""
        numbers = {place: value for place, value in enumerate(self.values) if isinstance(value, int | float)}
        finite = {place: value for place, value in numbers.items() if math.isfinite(value)}
        if not self.best or not finite or len(set(map(str, numbers.values()))) < 2:
            return set()
        most = (max if self.best == "high" else min)(finite.values())
        return {place for place, value in finite.items() if value == most}

    def order(self, backwards: bool = False) -> list[int]:
        """Places of the entries sorted by it; those without a value, or with NaN, come last either way."""
        known = [place for place, value in enumerate(self.values) if value is not None and value == value]
        rest = [place for place in range(len(self.values)) if place not in known]
        return [*sorted(known, key=lambda place: _key(self.values[place]), reverse=backwards), *rest]


def columns(entries: Sequence[Entry], everything: bool = False) -> list[Column]:
    """Settings that are not the same for all, then what the sessions came to; or ``everything``."""
    settings = _columns("setting", [_settings(entry) for entry in entries])
    results = _columns("result", [dict(_results(entry, everything)) for entry in entries])
    # An imported log has none, which tells nothing of the others.
    known = [place for place, entry in enumerate(entries) if entry.summary and entry.summary.solver]
    return [*(column for column in settings if everything or column.differs(known)), *results]


def as_csv(entries: Sequence[Entry], shown: Sequence[Column]) -> str:
    """RFC 4180, a line for each session; numbers as they are."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["host", "id", "name", *(column.name for column in shown)])
    for place, entry in enumerate(entries):
        values = ("" if column.values[place] is None else column.values[place] for column in shown)
        writer.writerow([entry.host, entry.session.id, clean_name(entry.session.name), *values])
    return out.getvalue()


def higher_is_better(metric: str) -> bool:
    """By its name, as nothing else tells."""
    return _HIGH.search(metric) is not None


# ----------------------------------------------------------------------------------------------- what is told


def _duration(seconds: float) -> str:
    return fmt.duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"


_SHOWN: dict[str, Callable[..., str]] = {
    "parameters": fmt.count,
    "time": _duration,
    "it/s": fmt.value,
}


def _columns(group: Group, found: Sequence[dict[str, Value]]) -> Iterator[Column]:
    """A column for each name that any of them has a value of, in the order in which they turn up."""
    for name in dict.fromkeys(name for each in found for name in each):
        values = tuple(each.get(name) for each in found)
        if any(value is not None for value in values):
            yield Column(name, group, values, _best(name) if group == "result" else "")


def _best(name: str) -> Literal["", "high", "low"]:
    if name == "it/s":
        return "high"
    what, _, metric = name.partition(" ")
    return ("high" if higher_is_better(metric) else "low") if metric and what in ("best", "last") else ""


def _settings(one: Entry) -> dict[str, Value]:
    session, summary = one.session, one.summary
    found: dict[str, Value] = {}
    if session.kind == "session":
        found |= {"caffe": clean_name(session.caffe), "device": session.device, "launcher": session.launcher}
        found["weights of"] = _weights(session)
    if summary is None:
        return found
    found |= {name: _plain(text) for name, text in summary.solver.items()}
    return found | {
        "net name": clean_name(summary.net) or None,
        "layers": summary.layers,
        "parameters": summary.parameters,
        "batch": summary.batch,
        "test batch": summary.test_batch,
        "inputs": ", ".join(map(clean_name, summary.inputs)) or None,
    }


def _weights(session: SessionInfo) -> str | None:
    """The snapshot that it started from: ``7 lenet at 500``."""
    if not session.weights:
        return None
    taken = (one for one in session.lineage if one.how == "weights" and one.iteration is not None)
    first = next(taken, None)
    return (
        f"{first.id} {clean_name(first.name)} at {first.iteration}" if first else clean_name(session.weights)
    )


def _results(one: Entry, everything: bool) -> Iterator[tuple[str, Value]]:
    summary = one.summary
    yield "state", fmt.state_look(one.session).word
    yield "iterations", one.session.iteration
    if summary is None:
        return
    yield "time", summary.seconds or None
    yield "it/s", summary.speed
    for name, metric in _metrics(summary, everything):
        high = higher_is_better(name)
        if name != "lr":
            yield f"best {name}", metric.greatest if high else metric.least
            yield f"{name} at", metric.greatest_at if high else metric.least_at
        yield f"last {name}", metric.last


def _metrics(summary: Summary, everything: bool) -> Iterator[tuple[str, MetricBest]]:
    """The training's loss, then what the tests tell; outputs of the train net where everything is wanted."""
    named = [(metric.key.phase, metric.key.net, metric.key.name) for metric in summary.metrics]
    for metric in summary.metrics:
        key = metric.key
        if key.phase == "train" and key.output >= 0 and not everything:
            continue
        if key.phase == "train" and key.name == "lr" and not everything:
            continue
        where = f"{key.phase} {key.net}" if key.net else key.phase
        twice = named.count((key.phase, key.net, key.name)) > 1 and key.output >= 0
        name = clean_name(key.name) + (f" #{key.output}" if twice else "")
        yield "lr" if key.name == "lr" and key.output < 0 else f"{where} {name}", metric


def _plain(text: str) -> Value:
    """A value of a prototxt: a number where it is one, a text without its quotes."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    return clean_name(text.removeprefix('"').removesuffix('"') if text.count('"') == 2 else text)


def _key(value: Value) -> tuple[int, float, list[tuple[int, int, str]]]:
    """Numbers by size, then texts, with numbers in them by size too: ``net-9``, ``net-10``."""
    if isinstance(value, int | float):
        return 0, value, []
    parts = _PARTS.split(str(value).lower())
    return 1, 0.0, [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
