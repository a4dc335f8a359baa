"""What ``caffe test`` and ``caffe time`` come to."""

from __future__ import annotations

from dataclasses import dataclass, field

from .batch import Note, NoteKind
from .exact import number

_MAX_RESULTS = 10_000


@dataclass(slots=True)
class Results:
    """What ``caffe test`` and ``caffe time`` print at their end."""

    batches: int | None = None
    """Batches the test was told to run."""
    loss: float | None = None
    final: list[tuple[str, float]] = field(default_factory=list)
    """Name and mean of each output of a test."""
    average: dict[str, float] = field(default_factory=dict)
    """Milliseconds: ``Forward pass``, ``Backward pass``, ``Forward-Backward``, and ``Time`` in total."""
    layers: dict[str, dict[str, float]] = field(default_factory=dict)
    """Milliseconds by layer, ``forward`` and ``backward``."""


def add_result(results: Results, note: Note) -> None:
    """Take in a line of the end: a final value, an average or a layer's time."""
    if note.kind is NoteKind.AVERAGE_TIME:
        name, _, token = note.text.partition(": ")
    else:
        name, *rest = note.text.split("\n")
        token = rest[-1]
    value = number(token.encode())
    if value is None or max(len(results.final), len(results.layers), len(results.average)) >= _MAX_RESULTS:
        return
    if note.kind is NoteKind.FINAL:
        results.final.append((name, value))
    elif note.kind is NoteKind.AVERAGE_TIME:
        results.average[name] = value
    else:
        results.layers.setdefault(name, {})[rest[0]] = value
