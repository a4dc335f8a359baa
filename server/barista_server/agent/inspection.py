"""What a session's solver and net are like, as they are on disk now."""

from __future__ import annotations

import os
from typing import NamedTuple

from barista_server.agent.store import Folder, Meta
from barista_server.api.messages import Problem


def stamp_of_files(folder: Folder) -> tuple[int, ...]:
    """Changes when solver or net are written."""
    stamp: list[int] = []
    for path in (folder.solver, folder.net):
        try:
            found = path.stat()
            stamp += [found.st_size, found.st_mtime_ns]
        except OSError:
            stamp += [-1, -1]
    return tuple(stamp)


class Inspection(NamedTuple):
    """What was found in a session's files: why they cannot be started, what else is odd, and two fields."""

    defects: list[Problem]
    warnings: list[Problem]
    max_iter: int
    device: str


def inspect(folder: Folder, meta: Meta) -> Inspection:
    """Judge the files for the device that is chosen. Blocks."""
    # Imported here: these parse prototxt, which an agent of finished sessions hardly does.
    from barista_server.agent.graphics import count_gpus, device_in_use, device_problem
    from barista_server.caffe.check import check_session
    from barista_server.caffe.schema import SolverParameter
    from barista_server.caffe.tolerant import read_tolerant

    found: dict[str, list[Problem]] = {"error": [], "warning": []}
    for one in check_session(folder.path, weights=meta.weights):
        problem = Problem(text=one.message, file=one.file, line=one.line, hint=one.hint or None)
        found[one.severity].append(problem)
    try:
        solver = read_tolerant(folder.solver, SolverParameter)[0]
    except (OSError, ValueError):
        solver = SolverParameter()
    # A job finds its cards on its node, whatever is here.
    count = None if meta.launcher == "slurm" else count_gpus(os.environ)
    if absent := device_problem(solver, meta.device, count):
        found["error"].append(absent)
    uses = device_in_use(solver, meta.device)
    return Inspection(found["error"], found["warning"], solver.max_iter, uses)
