"""One session: what it is, what state it is in, and the work of moving it to another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from barista_server.agent import journal, keeping, runs
from barista_server.agent.caffes import Caffes
from barista_server.agent.errors import CallError
from barista_server.agent.hub import Hub
from barista_server.agent.inspection import inspect, stamp_of_files
from barista_server.agent.launchers import Launcher, Launchers
from barista_server.agent.parts import Facts
from barista_server.agent.runs import LaunchError, Run, patience
from barista_server.agent.seen import revision
from barista_server.agent.slurm.jobs import as_job
from barista_server.agent.snapshots import Pair, Shelf, Stamp
from barista_server.agent.states import Happening, next_state
from barista_server.agent.store import Command, Folder, Meta
from barista_server.agent.verdict import Verdict
from barista_server.api.messages import Problem, Queued, Resumes, SessionInfo, Snapshot, State

T = TypeVar("T")

LIVE = (State.RUNNING, State.PAUSING)


@dataclass
class Host:
    """What sessions share: the way to clients, to executables and to the disk."""

    root: Path
    hub: Hub
    caffes: Caffes
    disk: Callable[..., Awaitable[Any]]
    """Runs a function that writes, in order and off the event loop."""
    launchers: Launchers
    watched: int = 0
    """Runs that are looked at again and again."""


class Session:
    """State lives here and on disk only; everything is told to the hub."""

    def __init__(self, host: Host, folder: Folder, meta: Meta) -> None:
        self.host = host
        self.folder = folder
        self.meta = meta
        self.state = State.PRETRAINED if meta.weights else State.WAITING
        self.runs: dict[int, Run] = {}
        self.shelf = Shelf(folder.path)
        self.busy: str | None = None
        self.stalled = False
        self.queued: Queued | None = None
        """Told by the queue, which alone sets it."""
        self.resumes: Resumes | None = None
        """When it is started again; told by :mod:`.resuming`, which alone sets it."""
        self.uses = meta.device
        """The device that caffe takes, which may be the solver's choice."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.lock = asyncio.Lock()
        """Held by whatever changes the session as a whole."""
        self.scores: dict[str, float] = {}
        """Test values of snapshots by model file, as far as the rule of what stays needs them."""
        self._max_iter = 0
        self._defects: list[Problem] = []
        self._warnings: list[Problem] = []
        self._checked: tuple[int, ...] | None = None
        self.looking = asyncio.Lock()

    # ------------------------------------------------------------------------------------------------ telling

    @property
    def id(self) -> str:
        return self.meta.id

    @property
    def last(self) -> Run | None:
        """The newest run."""
        return self.runs[max(self.runs)] if self.runs else None

    def launcher(self, run: Run) -> Launcher:
        """How this run was started."""
        return self.host.launchers.of(run.command)

    @property
    def underway(self) -> Run | None:
        """The run that is not over: it trains, or is a job that waits."""
        return self.last if self.last is not None and self.last.verdict is None else None

    def facts(self) -> Facts:
        """What the newest run's log says."""
        return self.last.facts() if self.last else Facts()

    @property
    def iteration(self) -> int:
        """Where the training stands."""
        last = self.last
        if last is not None and last.verdict is not None:
            return last.verdict.iteration
        resumed = last.command.resumed_from if last and last.command else None
        return max(self.facts().iteration, resumed or 0)

    @property
    def max_iter(self) -> int:
        """Of the solver in use, which while running need not be the one on disk."""
        told = self.facts().max_iter if self.state in LIVE else None
        return self._max_iter if told is None else told

    def info(self) -> SessionInfo:
        """For clients."""
        facts, last = self.facts(), self.last
        problems = last.verdict.problems if last and last.verdict and self.state not in LIVE else []
        pace = last.log.pace() if last and self.state in LIVE else None
        return SessionInfo(
            id=self.id,
            name=self.meta.name,
            state=self.state,
            folder=str(self.folder.path),
            created=self.meta.created,
            caffe=self.meta.caffe,
            device=self.meta.device,
            launcher=self.meta.launcher,
            slurm=self.meta.slurm,
            job=last.ticket.job if last and last.ticket else "",
            parent=self.meta.parent,
            lineage=self.meta.lineage,
            weights=self.meta.weights,
            problems=self._defects if self.state is State.INVALID else problems,
            warnings=self._warnings,
            iteration=self.iteration,
            max_iter=self.max_iter,
            loss=facts.loss,
            tests=facts.tests,
            speed=pace.speed if pace else None,
            eta=pace.eta if pace else None,
            stalled=self.stalled,
            runs=[run.info() for _, run in sorted(self.runs.items())],
            snapshots=self.shelf.good,
            busy=self.busy,
            queued=self.queued,
            keep=self.meta.keep,
            auto_resume=self.meta.auto_resume,
            resumes=self.resumes,
            revision=revision(self.state, self.meta, max(self.runs, default=0)),
        )

    def changed(self) -> None:
        """Tell subscribers, soon."""
        self.host.hub.changed(self.id)

    def tell(self, text: str, error: bool = False) -> None:
        """Put a message on every console."""
        self.host.hub.notice(f"Session {self.id}", text, "error" if error else "text")

    async def note(self, kind: str, **facts: object) -> None:
        """Append to the journal. That it cannot be written is told, and stops nothing."""
        try:
            await self.host.disk(lambda: self.folder.note(kind, **facts))
        except OSError as error:
            self.tell(f"the journal cannot be written: {error.strerror}", error=True)

    def happen(self, happening: Happening) -> None:
        """Move on in the state table. Raises Refused."""
        self.state = next_state(self.state, happening)
        if self.meta.weights and self.state is State.WAITING:
            self.state = next_state(self.state, Happening.GIVEN_WEIGHTS)
        self.changed()

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something in the background for as long as this session is loaded."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def unload(self) -> None:
        """Let go of everything; processes go on."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---------------------------------------------------------------------------------------------- its files

    async def check(self, *, again: bool = False) -> None:
        """Judge solver and net if they have changed since (or ``again``: data may have come or gone).

        Found as they are by a new agent, files that were trained with are not judged: a finished session
        whose data was cleared away is still a finished one.
        """
        trusted = self._checked is None and bool(self.runs)
        stamp = await asyncio.to_thread(stamp_of_files, self.folder)
        if stamp == self._checked and not again:
            return
        self._checked = stamp
        found = await asyncio.to_thread(inspect, self.folder, self.meta)
        self._defects, self._max_iter, self.uses = found.defects, found.max_iter, found.device
        self._warn(found.warnings, quietly=trusted)
        self.changed()
        if self.state in LIVE:
            return
        if self._defects:
            if not trusted:
                self.happen(Happening.CHECK_FAILED)
            return
        if self.state is State.INVALID:
            self.settle(Happening.CHECK_PASSED)
        elif self.state is State.FINISHED and self._max_iter > self.iteration:
            self.happen(Happening.MORE_TO_DO)

    def settle(self, happening: Happening) -> None:
        """Leave a state that hid what the last run came to. Raises Refused."""
        self.happen(happening)
        if self.last is not None and self.last.verdict is not None:
            self.happen(self.last.verdict.happening)
        if self.state is State.FINISHED and self._max_iter > self.iteration:
            self.happen(Happening.MORE_TO_DO)

    def _warn(self, warnings: list[Problem], quietly: bool) -> None:
        """Keep what is odd about the files, and tell what is new about it."""
        for problem in warnings:
            if problem not in self._warnings and not quietly:
                where = f"{problem.file}:{problem.line}: " if problem.line else ""
                self.tell(f"{where}{problem.text}" + (f" ({problem.hint})" if problem.hint else ""))
        self._warnings = warnings

    def edited(self) -> bool:
        """Solver or net were written since they were judged. Blocks briefly."""
        return stamp_of_files(self.folder) != self._checked

    async def look(self, *, settled: bool) -> None:
        """Bring the list of snapshots up to date and write new ones down; those go that it does not keep.
        Raises OSError.
        """
        async with self.looking:
            before = self.shelf.good
            if not await self.shelf.look(settled=settled) and not (settled and self.meta.keep):
                return
            for snapshot in self.shelf.good:
                if snapshot not in before:
                    await self.note(
                        "snapshot verified",
                        iteration=snapshot.iteration,
                        model=snapshot.model,
                        state=snapshot.state,
                        stamp=self.shelf.stamp_of(snapshot),
                    )
            if await keeping.thin_out(self):
                await self.shelf.look(settled=settled)
            self.changed()

    async def remember(self) -> None:
        """Take over from the journal and the run folders what need not be found out again."""
        records = await self.host.disk(self.folder.journal)
        seen: set[Stamp | None] = set()
        before: dict[Any, set[Stamp | None]] = {}
        for record in records:
            if record["kind"] == "snapshot verified":
                seen.add(_trust(self.shelf, self.folder.path, record))
            elif record["kind"] == "snapshot scored":
                keeping.remember(self, record)
            elif record["kind"] == "run started":
                before[record.get("run")] = set(seen)
        for path in await asyncio.to_thread(self.folder.runs):
            run = Run(path)
            run.before = before.get(run.number)
            own = [record for record in records if record.get("run") == run.number]
            run.forced = journal.last(own, "forced") is not None
            run.pausing = journal.last(own, "pause asked") is not None
            run.interrupted = journal.last(own, "interrupt sent") is not None
            run.withdrawn = journal.last(own, "withdrawn") is not None
            if ended := journal.last(own, "run ended"):
                try:
                    run.told = msgspec.convert(ended["facts"], Facts)
                    run.end(msgspec.convert(ended["verdict"], Verdict))
                except (KeyError, msgspec.ValidationError):
                    run.told = None
            self.runs[run.number] = run

    # ----------------------------------------------------------------------------------------------- commands

    async def ready(self, happening: Happening) -> None:
        """Whether it can be started or queued as its files are now. Raises CallError, Refused."""
        if self.state is not State.INVALID:
            next_state(self.state, happening)
        await self.check(again=True)
        if self._defects and self.state is State.INVALID:
            hint = f"Correct that in {self.folder.path}, then start again."
            raise CallError("invalid", "cannot start as its files are:", hint, self._defects)
        next_state(self.state, happening)

    async def start(self, iteration: int | None) -> Run:
        """Start caffe. Raises CallError, Refused, OSError; then nothing has changed."""
        command, before = await self.prepare(iteration)
        self.busy = "starting"
        self.changed()
        try:
            run = await self._launch(command)
        except LaunchError as error:
            raise CallError("internal", f"could not be started: {error}") from None
        finally:
            self.busy = None
            self.changed()
        self.take(run, before)
        return run

    async def prepare(self, iteration: int | None) -> tuple[Command, set[Stamp | None]]:
        """What a start would execute, and the snapshots there are. Raises CallError, Refused, OSError."""
        await self.ready(Happening.START)
        try:
            caffe = await asyncio.to_thread(self.host.caffes.get, self.meta.caffe)
        except KeyError:
            text = f"wants the caffe '{self.meta.caffe}', which is not on this machine any more"
            hint = "Choose another: barista set SESSION --caffe NAME."
            raise CallError("invalid", text, hint) from None
        if caffe.problem is not None:
            raise CallError("invalid", f"cannot start: {caffe.problem}")
        await self._refuse_a_second()
        snapshot = await self._choose(iteration)
        before = {self.shelf.stamp_of(one) for one in self.shelf.good}
        state, resumed = (snapshot.state, snapshot.iteration) if snapshot else (None, None)
        command = runs.train_command(
            caffe.argv, self.folder.path, self.meta.device, state, resumed, caffe.name, self.meta.weights
        )
        if self.meta.launcher == "slurm":
            command = as_job(self.meta, command, patience(self.last, self.shelf.good))
        return command, before

    def take(self, run: Run, before: set[Stamp | None]) -> None:
        """A run of this session has been started."""
        run.before = before
        self.runs[run.number] = run
        waits = run.command is not None and run.command.slurm is not None
        self.queued = self.host.launchers.slurm.waiting(run) if waits else None
        self.happen(Happening.SUBMITTED if waits else Happening.START)

    async def _refuse_a_second(self) -> None:
        """Two caffes in one folder would overwrite each other; one that outlived its wrapper may be there."""
        last = self.last
        if last is None:
            return
        if self.underway is not None:
            raise CallError("refused", "is on its way already: its job waits in Slurm")
        if left := await asyncio.to_thread(last.remaining):
            pids = " ".join(str(one.pid) for one in left)
            text = f"still has processes of run {last.number}: {pids}"
            raise CallError("refused", text, f"If one is a training, stop it with: kill -INT {left[-1].pid}")

    async def _launch(self, command: Command) -> Run:
        path = await self.host.disk(self.folder.new_run)
        await self.note("run started", run=int(path.name), resumed_from=command.resumed_from)
        try:
            return await asyncio.to_thread(self.host.launchers.of(command).launch, path, command)
        except (LaunchError, OSError) as error:
            await self.note("run failed to start", run=int(path.name), reason=str(error))
            await self.host.disk(runs.discard, path)
            raise

    async def _choose(self, iteration: int | None) -> Snapshot | None:
        """The snapshot to go on from: the one asked for, else the newest good one, else none."""
        await self.look(settled=True)
        good = self.shelf.good
        if iteration is not None:
            found = [snapshot for snapshot in good if snapshot.iteration == iteration]
            if not found:
                bad = [why for pair, why in self.shelf.damaged_since(0) if pair.iteration == iteration]
                text = f"has no snapshot of iteration {iteration}"
                text += f" that is whole: {bad[0]}" if bad else ""
                there = ", ".join(str(snapshot.iteration) for snapshot in good) or "none"
                raise CallError("invalid", text, f"There are: {there}.")
            return found[-1]
        newest = good[-1] if good else None
        instead = f"goes on from iteration {newest.iteration}" if newest else "starts from the beginning"
        for pair, why in self.shelf.damaged_since(newest.time if newest else 0):
            self.tell(f"skips the damaged snapshot {pair.state.name} ({why}) and {instead}", error=True)
        return newest


def _trust(shelf: Shelf, folder: Path, record: dict[str, Any]) -> Stamp | None:
    """Take over a verdict from the journal; the stamp it was given for."""
    try:
        pair = Pair(int(record["iteration"]), folder / record["model"], folder / record["state"])
        model_size, model_time, state_size, state_time = record["stamp"]
        stamp = (model_size, model_time, state_size, state_time)
        shelf.trust(pair, stamp)
    except (KeyError, TypeError, ValueError):
        return None
    return stamp
