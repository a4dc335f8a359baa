"""Metric windows over the runs of a session or an imported log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from barista_server import metrics
from barista_server.agent.parts import Part
from barista_server.api.messages import GetSeries, Place, Series, SeriesKey
from barista_server.caffe import log as caffe_log

Column = NDArray[np.float64]


class Source(Protocol):
    """A run whose log is parsed."""

    @property
    def number(self) -> int: ...
    @property
    def started(self) -> float: ...
    @property
    def part(self) -> Part: ...


def keys(runs: Iterable[Source]) -> list[SeriesKey]:
    """Every metric of any run, in the order in which they turned up."""
    found: dict[caffe_log.SeriesKey, None] = {}
    for run in runs:
        found |= dict.fromkeys(run.part.parser.series)
    return [SeriesKey(phase=key.phase, name=key.name, net=key.net, output=key.output) for key in found]


def windows(runs: Sequence[Source], call: GetSeries) -> list[Series]:
    """What is asked; ``runs`` oldest first, their logs read. A metric no run has comes back empty."""
    origin = origin_of(runs)
    return [_window(runs, key, call, origin) for key in call.keys]


def origin_of(runs: Sequence[Source]) -> float:
    """The time that seconds are counted from; 0 where no log tells one."""
    return min((_begin(run) for run in runs), default=0.0)


def stitched(runs: Sequence[Source], key: SeriesKey) -> tuple[Column, Column]:
    """Iterations and values of a metric over all runs, as they belong to the weights of today."""
    points = _points(runs, key, GetSeries(session="", keys=[]), 0.0)
    return points.x, points.y


@dataclass(frozen=True)
class _Points:
    x: Column
    y: Column
    line: NDArray[np.int64]
    run: NDArray[np.int32]


def _window(runs: Sequence[Source], key: SeriesKey, call: GetSeries, origin: float) -> Series:
    points = _points(runs, key, call, origin)
    if call.raw or call.buckets == 0:
        found = metrics.window(points.x, points.y, call.x0, call.x1, max(1, len(points.x)))
        found = replace(found, low=found.last, high=found.last)
    else:
        found = metrics.window(points.x, points.y, call.x0, call.x1, max(1, call.buckets), call.log)
    return Series(
        key=key,
        x=_floats(found.x),
        low=_floats(found.low),
        high=_floats(found.high),
        line=points.line[found.row].astype("<i8").tobytes(),
        run=points.run[found.row].astype("<i4").tobytes(),
        points=found.points,
        nonfinite=_floats(found.nonfinite),
        least=_place(points, found.least),
        greatest=_place(points, found.greatest),
    )


def _place(points: _Points, row: int) -> Place | None:
    if row < 0:
        return None
    return Place(
        x=float(points.x[row]), y=float(points.y[row]), line=int(points.line[row]), run=int(points.run[row])
    )


def _points(runs: Sequence[Source], key: SeriesKey, call: GetSeries, origin: float) -> _Points:
    """All points of a metric: stitched, or run after run when raw."""
    wanted = caffe_log.SeriesKey(key.phase, key.net, key.output, key.name)
    pieces = []
    for run, process in _iterating(runs):
        points = run.part.points(wanted)
        pieces.append(
            metrics.Piece(
                run=run.number,
                start=process.resume_iteration or 0,
                iteration=points.iteration,
                seconds=points.seconds + begin if (begin := _begin(run) - origin) else points.seconds,
                value=points.value,
                line=points.line,
            )
        )
    if call.raw:
        # Nothing is cut: each run is told to go on where the one before it ended.
        joined = [metrics.stitch([piece]) for piece in pieces]
        iteration, seconds, value, line, number = (
            np.concatenate([getattr(curve, name) for curve in joined]) if joined else np.empty(0)
            for name in ("iteration", "seconds", "value", "line", "run")
        )
    else:
        curve = metrics.stitch(pieces)
        iteration, seconds, value = curve.iteration, curve.seconds, curve.value
        line, number = curve.line, curve.run
    x = iteration.astype(np.float64) if call.axis == "iteration" else seconds
    return _Points(x, value, line.astype(np.int64, copy=False), number.astype(np.int32, copy=False))


def _iterating(runs: Sequence[Source]) -> list[tuple[Source, caffe_log.Run]]:
    """Runs that came to iterate: others hide nothing. Where none did, the batches of ``caffe test`` count."""
    begun = [(run, run.part.run) for run in runs if run.part.run is not None]
    trained = [(run, process) for run, process in begun if process.first_iteration is not None]
    return trained or [(run, process) for run, process in begun if process.kind == "test"]


def _begin(run: Source) -> float:
    """Wall-clock time of a log's first stamp; where the log does not tell, the start of its process."""
    epoch = run.part.parser.epoch
    return run.started if epoch is None else epoch


def _floats(values: Column) -> bytes:
    return values.astype("<f8").tobytes()
