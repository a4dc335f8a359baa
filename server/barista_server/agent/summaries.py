"""What sessions are compared by, found in their files and logs. Blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from barista_server.agent import series
from barista_server.agent.parts import Part
from barista_server.api import messages as m
from barista_server.caffe.log import LOSS

if TYPE_CHECKING:
    from barista_server.caffe.schema import LayerParameter, NetParameter, SolverParameter

_SOURCES = ("data_param", "hdf5_data_param", "image_data_param", "window_data_param")
"""Blocks of layers that name what they read."""


# ---------------------------------------------------------------------------------------------------- results


def results(session: str, runs: Sequence[series.Source]) -> m.Summary:
    """What it came to; ``runs`` oldest first, their logs read."""
    spans = [span for run in runs if (span := _span(run.part)) is not None]
    seconds = sum(spent for _, spent in spans)
    done = sum(steps for steps, _ in spans)
    found = [best for key in series.keys(runs) if (best := _best(runs, key)) is not None]
    speed = done / seconds if seconds > 0 else None
    return m.Summary(session=session, seconds=seconds, speed=speed, metrics=found)


def _span(part: Part) -> tuple[int, float] | None:
    """Iterations and seconds between the first and the last display of a run."""
    shown = part.points(LOSS)
    if len(shown.iteration) < 2:
        return None
    return int(shown.iteration[-1] - shown.iteration[0]), float(shown.seconds[-1] - shown.seconds[0])


def _best(runs: Sequence[series.Source], key: m.SeriesKey) -> m.MetricBest | None:
    at, values = series.stitched(runs, key)
    if not len(values):
        return None
    best = m.MetricBest(key=key, points=len(values), last=float(values[-1]), last_at=int(at[-1]))
    finite = np.flatnonzero(np.isfinite(values))
    if not len(finite):
        return best
    low, high = (int(finite[find(values[finite])]) for find in (np.argmin, np.argmax))
    return msgspec.structs.replace(
        best,
        least=float(values[low]),
        least_at=int(at[low]),
        greatest=float(values[high]),
        greatest_at=int(at[high]),
    )


# --------------------------------------------------------------------------------------------------- settings


def settings(folder: Path) -> dict[str, Any]:
    """What :class:`Summary` has of a session's solver and net; ``problem`` where they cannot be read."""
    # Imported here: an agent that is never asked saves the memory.
    from barista_server.caffe.errors import NetError
    from barista_server.caffe.net import filter_net
    from barista_server.caffe.preflight import batch_of
    from barista_server.caffe.prototxt import PrototxtError
    from barista_server.caffe.schema import SolverParameter
    from barista_server.caffe.shapes import net_shapes
    from barista_server.caffe.solver import SolverError, test_nets, train_net, upgrade_solver
    from barista_server.caffe.stored_shapes import stored_in
    from barista_server.caffe.tolerant import read_tolerant

    def read(path: str | Path, cls: type[NetParameter], notes: list[str]) -> NetParameter:
        return read_tolerant(path, cls)[0]

    found: dict[str, Any] = {}
    try:
        solver = read_tolerant(folder / "solver.prototxt", SolverParameter)[0]
        upgrade_solver(solver, "solver.prototxt", folder)
        found["solver"] = dict(_values(solver))
        train = train_net(solver, folder, read)
        nets = [filter_net(each.param, each.state)[0] for each in [train, *test_nets(solver, folder, read)]]
        shapes = net_shapes(nets[0], train.state, stored_in(folder))
    except (NetError, PrototxtError, SolverError, OSError) as error:
        return {**found, "problem": str(error)}
    layers = [layer for net in nets for layer in net.layer]
    found |= {
        "net": nets[0].name,
        "layers": len(nets[0].layer),
        "batch": batch_of(nets[0]),
        "test_batch": batch_of(nets[1]) if len(nets) > 1 else None,
        "inputs": list(dict.fromkeys(name for layer in layers for name in _read_by(layer))),
    }
    return {**found, "parameters": shapes.param_bytes // 4 if shapes.complete else None}


def _values(solver: SolverParameter) -> Iterator[tuple[str, str]]:
    """Fields with what holds: as set, or Caffe's default where the field has one. Numbers that are neither
    are 0, and left out as zeros are.
    """
    from barista_server.caffe.fieldwise import leaves
    from barista_server.caffe.prototxt import scalar_text

    fields = solver.DESCRIPTOR.fields_by_name
    # Told by themselves; solver_type has become type.
    skip = {"solver_type", *(name for name in fields if name.endswith("net_param"))}
    told = dict(leaves(solver, "", skip))
    for name, text in told.items():
        if name not in fields or fields[name].has_default_value or text != "0":
            yield name, text
    for name, field in fields.items():
        if name not in told and name not in skip and field.has_default_value:
            yield name, scalar_text(field, field.default_value)


def _read_by(layer: LayerParameter) -> Iterator[str]:
    for name in _SOURCES:
        if source := getattr(layer, name).source:
            yield source
