"""Graphics cards: whether those that a session asks for are there, without asking any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from barista_server.api.messages import Problem
from barista_server.caffe.schema import SolverParameter

_OTHERS = ("dev/kfd", "dev/dxg", "dev/dri/renderD128")
"""Where these are, cards of other makes may be, which some forks of Caffe use."""


def count_gpus(environ: Mapping[str, str], root: Path = Path("/")) -> int | None:
    """How many graphics cards a caffe started here sees; None if that cannot be told.

    BARISTA_GPUS in the environment says it where caffe runs elsewhere; CUDA_VISIBLE_DEVICES counts as ever.
    """
    told = environ.get("BARISTA_GPUS", "")
    if told.isdecimal():
        return int(told)
    cards = list((root / "proc/driver/nvidia/gpus").glob("*")) or list((root / "dev").glob("nvidia[0-9]*"))
    if not cards and (any((root / name).exists() for name in _OTHERS) or not (root / "proc/self").exists()):
        return None
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return len(cards)
    names = [name.strip() for name in visible.split(",")]
    if "-1" in names:
        names = names[: names.index("-1")]
    return min(len(cards), len([name for name in names if name]))


def device_in_use(solver: SolverParameter, device: str) -> str:
    """The device that caffe takes: without ``--gpu`` ("cpu") the solver has a say."""
    if device == "cpu" and solver.HasField("solver_mode") and solver.solver_mode == solver.GPU:
        return str(solver.device_id)
    return device


def devices_of(device: str, cards: Sequence[str]) -> tuple[str, ...]:
    """Single devices of a choice ("cpu", "0", "0,1", "all") where there are ``cards``."""
    if device == "all":
        return tuple(cards) or ("0",)
    return tuple(dict.fromkeys(part.strip() for part in device.split(",")))


def device_problem(solver: SolverParameter, device: str, count: int | None) -> Problem | None:
    """Why the session's device ("cpu", "0", "0,1", "all") cannot be had where there are `count` cards."""
    field = "device" if device != "cpu" else "solver_mode: GPU"
    device = device_in_use(solver, device)
    if device == "cpu":
        return None
    hint = "Choose the device cpu." if field == "device" else "Write solver_mode: CPU."
    ids = [part.strip() for part in device.split(",")]
    if device != "all" and not all(part.isdecimal() for part in ids):
        return Problem(text=f"'{device}' is no device", hint="A device is cpu, 0, 0,1 or all.")
    if count is None:
        return None
    absent = [part for part in ids if device != "all" and int(part) >= count]
    if count and not absent:
        return None
    there = {0: "no graphics card", 1: "one graphics card, 0"}.get(count, f"graphics cards 0 to {count - 1}")
    wanted = "all" if device == "all" else " and ".join(absent)
    text = f"{field} asks for graphics card {wanted}, but this machine has {there}"
    return Problem(text=text, file=None if field == "device" else "solver.prototxt", hint=hint)
