"""How a run is started, found alive and signalled: as a process of this machine, or as a job of Slurm."""

from __future__ import annotations

import signal as signals
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from barista_server.agent import process, runs

if TYPE_CHECKING:
    from barista_server.agent.runs import Run
    from barista_server.agent.slurm.launcher import SlurmLauncher
    from barista_server.agent.store import Command

GRACE_ORPHAN = 0.5
"""Seconds after caffe has vanished until its end is taken for certain, when no runner is left to tell of it.
"""
GRACE_RUNNER = 10.0
"""The same while the runner lives and is about to write process.json or exit.json."""


class Launcher(Protocol):
    """Nothing else in the agent asks where a run is."""

    def launch(self, path: Path, command: Command) -> Run:
        """Start what ``command`` says in an empty run folder. Blocks. Raises LaunchError, OSError."""

    def lives(self, run: Run) -> bool:
        """caffe runs, or is still to be started, as far as one knows; asked some times a second."""

    def grace(self, run: Run) -> float:
        """Seconds from its vanishing until no exit.json will come any more."""

    def signal(self, run: Run, number: signals.Signals) -> bool:
        """To the process that trains. Blocks. False when there is none of it any more. Raises LaunchError."""

    def end_all(self, run: Run, number: signals.Signals) -> bool:
        """To caffe and all it started. Blocks. False when there is nothing any more. Raises LaunchError."""


class ProcessLauncher:
    """Runs as processes of this machine."""

    def launch(self, path: Path, command: Command) -> Run:
        return runs.launch(path, command)

    def lives(self, run: Run) -> bool:
        there = run.caffe is not None and process.exists(run.caffe)
        return there or (run.process is None and run.may_begin())

    def grace(self, run: Run) -> float:
        return GRACE_RUNNER if run.process is None or run.runner_lives() else GRACE_ORPHAN

    def signal(self, run: Run, number: signals.Signals) -> bool:
        target = process.trainer(run.caffe) if run.caffe else None
        return target is not None and _sent(target, number)

    def end_all(self, run: Run, number: signals.Signals) -> bool:
        # A wrapper that dies alone would leave caffe training.
        others = process.marked(run.nonce) if run.nonce else []
        found = [one for one in dict.fromkeys([run.caffe, *others]) if one is not None]
        return sum(_sent(one, number) for one in found) > 0


def _sent(one: process.Identity, number: signals.Signals) -> bool:
    """As :func:`process.send`. Raises LaunchError for what belongs to another user, as behind sudo."""
    try:
        return process.send(one, number)
    except PermissionError:
        raise runs.LaunchError(f"process {one.pid} belongs to another user") from None


class Launchers:
    """Both of them."""

    def __init__(self, slurm: SlurmLauncher) -> None:
        self.process = ProcessLauncher()
        self.slurm = slurm

    def of(self, command: Command | None) -> Launcher:
        """The one a run was, or is to be, started by."""
        return self.slurm if command is not None and command.slurm is not None else self.process
