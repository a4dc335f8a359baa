"""Runs as jobs of Slurm: the same runner, started by sbatch, signalled by scancel, watched by squeue."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal as signals
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from barista_server import runner
from barista_server.agent import files, process
from barista_server.agent.runs import LaunchError, Run
from barista_server.agent.slurm import commands, options
from barista_server.agent.slurm.commands import Job, SlurmError
from barista_server.agent.store import Command, Ticket
from barista_server.api.messages import Queued, SlurmJob

POLL = 3.0
"""Seconds between two questions to Slurm, while there are jobs of ours; one squeue asks for all."""
GRACE = 15.0
"""Seconds that exit.json may take from a node to here, over a shared file system."""
SETTLE = 8.0
"""Seconds that a job whose caffe has ended may take to be over for Slurm too."""
FRESH = 5.0
"""Seconds that a new job may be unknown to squeue."""

ENDED = frozenset(
    {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
        "PREEMPTED", "REVOKED", "SPECIAL_EXIT", "TIMEOUT",
    }
)  # fmt: skip
NEVER = "NEVER"
"""Fate of a run that was never submitted: the agent ended before it could."""
GONE = "GONE"
"""Fate of a job that nothing remembers."""

SCRIPT = '#!/bin/sh\n# Started by Slurm; what it executes are the words after it.\nexec "$@"\n'


class SlurmLauncher:
    """``tell`` has a message shown; ``changed``, that what is known of jobs may be another."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.jobs: dict[str, Job] = {}
        self.problem = ""
        """Why the last question was not answered."""
        self.silent_since: float | None = None
        self._asked = -1.0
        """Monotonic time of the last question that was answered."""
        self._watched: set[Run] = set()
        self._tell = tell
        self._task: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()

    async def close(self) -> None:
        """Ask no more; jobs go on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # ------------------------------------------------------------------------------------------- starting

    def launch(self, path: Path, command: Command) -> Run:
        """One job for one run. Blocks. Raises LaunchError, OSError."""
        files.write_json(path / "command.json", command)
        words = [*_runner(command), "--job", str(path)]
        job = self._submit(command, path, words)
        _hand_over(path, job)
        return Run(path)

    def launch_array(
        self, paths: Sequence[Path], made: Sequence[Command], at_once: int
    ) -> tuple[str, list[Run]]:
        """One job array for several runs, and its id. Blocks. Raises LaunchError, OSError."""
        for path, command in zip(paths, made, strict=True):
            files.write_json(path / "command.json", command)
        first = paths[0]
        listed = first / "array"
        files.write(listed, "".join(f"{path}\n" for path in paths).encode())
        words = [*_runner(made[0]), "--jobs", str(listed)]
        job = self._submit(made[0], first, words, options.array_of(len(paths), at_once))
        for number, path in enumerate(paths):
            _hand_over(path, f"{job}_{number}")
        return job, [Run(path) for path in paths]

    def _submit(self, command: Command, path: Path, words: Sequence[str], array: str = "") -> str:
        assert command.slurm is not None
        script = path / "job.sh"
        files.write(script, SCRIPT.encode())
        script.chmod(0o755)
        arguments = options.arguments(
            command.slurm,
            name=command.name,
            key=command.key,
            output=str(path / "slurm-%a.log" if array else path / "slurm.log"),
            lead=command.lead,
            array=array,
        )
        # What was set for one job of a person's shell is not meant for ours.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SBATCH_")}
        environment[process.NONCE] = command.nonce
        try:
            return commands.submit(arguments, words, str(script), environment)
        except SlurmError as error:
            raise LaunchError(f"Slurm: {error}") from None

    # ------------------------------------------------------------------------------------------- watching

    def watch(self, run: Run) -> None:
        """Ask about it until it is over."""
        self._watched.add(run)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._watched:
            await self.look()
            self._watched = {run for run in self._watched if not run.over.is_set()}
            await asyncio.sleep(POLL)

    async def look(self) -> None:
        """Ask Slurm now; what comes of it is in the runs and here."""
        async with self._looking:
            began = time.monotonic()
            try:
                self.jobs = await asyncio.to_thread(commands.jobs)
                for run in list(self._watched):
                    await self._place(run)
            except SlurmError as error:
                if not self.problem:
                    self._tell(f"Slurm does not answer: {error}")
                    self.silent_since = time.time()
                self.problem = str(error)
                return
            if self.problem:
                self._tell("Slurm answers again")
            self.problem, self.silent_since, self._asked = "", None, began

    async def settle(self, run: Run) -> None:
        """Of a run that has ended, find out what Slurm says of it; not for long."""
        self.watch(run)
        deadline = time.monotonic() + SETTLE
        while not run.fate and not self.problem and time.monotonic() < deadline:
            await self.look()
            await asyncio.sleep(0.3)

    async def _place(self, run: Run) -> None:
        """Find out what has become of a run. Raises SlurmError."""
        if run.over.is_set():
            return
        if run.ticket is None and not await asyncio.to_thread(self._find_ticket, run):
            if time.time() - run.started > FRESH:
                run.fate = NEVER
            return
        assert run.ticket is not None
        job = self.jobs.get(run.ticket.job)
        if job is not None:
            run.fate = job.fate if job.state in ENDED else ""
        elif time.time() - run.ticket.submitted > FRESH:
            told: str | None = await asyncio.to_thread(commands.past, run.ticket.job)
            run.fate = told or GONE

    def _find_ticket(self, run: Run) -> bool:
        """The agent ended between submitting and writing it down. Blocks."""
        command = run.command
        if command is None:
            return False
        ends = "" if command.task is None else f"_{command.task}"
        for job in self.jobs.values():
            if job.key == command.key and job.id.endswith(ends):
                with suppress(OSError):
                    _hand_over(run.path, job.id)
                run.ticket = Ticket(job.id, run.started)
                return True
        return False

    def lives(self, run: Run) -> bool:
        """Until Slurm says otherwise."""
        if run not in self._watched and not run.over.is_set():
            self.watch(run)
        return not run.fate

    def grace(self, run: Run) -> float:
        # From a node that is lost nothing comes any more.
        return GRACE if run.process is not None and run.fate not in ("NODE_FAIL", "BOOT_FAIL") else 0.0

    def waiting(self, run: Run) -> Queued | None:
        """What to say of a job that has not been started; None when it has."""
        if run.process is not None:
            return None
        job = self.jobs.get(run.ticket.job) if run.ticket else None
        number = run.ticket.job if run.ticket else "?"
        if self.problem:
            words = f"does not answer: {self.problem}"
        elif job is None or job.state == "CONFIGURING" or job.state not in ("PENDING", *ENDED):
            words = "starts it" if job else "was given it"
        else:
            words = options.reason_words(job.reason)
            if job.starts is not None and job.starts > time.time():
                words += f"; expected {_when(job.starts)}"
        return Queued(place=0, since=run.started, reason=f"Slurm (job {number}): {words}")

    def listed(self) -> list[SlurmJob]:
        """Jobs of sessions that are not over, as Slurm told them last."""
        found = []
        for run in sorted(self._watched, key=lambda run: str(run.path)):
            job = self.jobs.get(run.ticket.job) if run.ticket else None
            if job is not None and not run.over.is_set():
                waits = options.reason_words(job.reason) if job.state == "PENDING" else ""
                found.append(
                    SlurmJob(
                        job=job.id,
                        session=run.path.parents[1].name,
                        run=run.number,
                        state=job.state,
                        reason=waits,
                        starts=job.starts,
                        node=job.node,
                    )
                )
        return found

    # ----------------------------------------------------------------------------------------- signalling

    def signal(self, run: Run, number: signals.Signals) -> bool:
        """By way of the runner, which passes it on to caffe."""
        if run.ticket is None or run.fate or run.process is None:
            return False
        try:
            commands.signal(run.ticket.job, number.name.removeprefix("SIG"))
        except commands.Refused:
            return False
        except SlurmError as error:
            raise LaunchError(f"Slurm: {error}") from None
        return True

    def end_all(self, run: Run, number: signals.Signals) -> bool:
        """Cancel the job; Slurm ends all its processes."""
        if run.ticket is None or run.fate:
            return False
        try:
            commands.cancel(run.ticket.job, kill=number == signals.SIGKILL and run.process is not None)
        except commands.Refused:
            return False
        except SlurmError as error:
            raise LaunchError(f"Slurm: {error}") from None
        return True


def new_key() -> str:
    """By which a job is known before its number is written down."""
    return f"barista:{secrets.token_hex(12)}"


def _runner(command: Command) -> list[str]:
    return [command.python or sys.executable, "-I", "-S", str(runner.__file__)]


def _hand_over(path: Path, job: str) -> None:
    files.write_json(path / "job.json", Ticket(job, time.time()))


def _when(moment: float) -> str:
    """``14:05``, or with the day if that is another."""
    there, here = time.localtime(moment), time.localtime()
    same = there[:3] == here[:3]
    return time.strftime("%H:%M" if same else "%Y-%m-%d %H:%M", there)
