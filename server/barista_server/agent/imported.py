"""One imported log: where it is, what is in it, and in which state that training seems to be."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from barista_server.agent import files
from barista_server.agent.hub import Hub
from barista_server.agent.logfile import SMALL, Content, LogFile, Stamp, Told
from barista_server.agent.parts import Facts, Pace
from barista_server.agent.seen import revision
from barista_server.agent.standing import Standing, quiet_for, standing
from barista_server.agent.store import LogMeta
from barista_server.api import messages as m
from barista_server.api.messages import Problem, RunInfo, SessionInfo, State

T = TypeVar("T")

LIVE, IDLE, FORGOTTEN = 0.5, 4.0, 20.0
"""Seconds between two looks at a log that grows, at one that does not, and at one that nobody has asked for
lately either: one stat call each.
"""
REST = 600.0
"""Seconds without a question after which a log that nobody writes to is no longer kept parsed."""
SLOW = 0.3
"""Seconds of reading from which on its progress is told."""
UNREAD = Content(Stamp(-1, 0, 0))

log = logging.getLogger("barista.agent")


class Work(Protocol):
    """Runs a function that may block, off the event loop."""

    def __call__(self, function: Callable[..., T], *arguments: object) -> Awaitable[T]: ...


class Imported:
    """Watches one file for as long as :meth:`watch` runs. Everything is told to the hub."""

    def __init__(self, hub: Hub, folder: Path, meta: LogMeta, work: Work) -> None:
        self.folder = folder
        self.meta = meta
        self.lock = asyncio.Lock()
        """Held by whatever changes the entry as a whole."""
        self.known = asyncio.Event()
        """Set once it was read, or could not be."""
        self.content = UNREAD
        self.standing = Standing(State.WAITING)
        self.busy: str | None = None
        self._hub = hub
        self.work = work
        """For whatever may block."""
        self._file = LogFile(Path(meta.path))
        self._using = asyncio.Lock()
        """Held by whoever has the parser at work."""
        self._pace = Pace()
        self._keep_until = 0.0
        """On the monotonic clock: so long it stays parsed when nobody writes to it."""
        self._looked = False
        self._grew: float | None = None
        """On the monotonic clock; and the longest wait between two growths, in seconds."""
        self._growth = 0.0
        self._still = 0
        """Looks since it changed."""
        self._settled = self._away = False
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------------------------------ telling

    @property
    def id(self) -> str:
        return self.meta.id

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def runs(self) -> dict[int, Told]:
        """The runs in it, by number."""
        return {told.number: told for told in self.content.runs}

    @property
    def unparsed(self) -> Facts | None:
        """What is known of the file while it is at rest and not parsed; None while it is."""
        known = self.content is not UNREAD and not self._file.read and not self.live
        return Facts(size=self.content.size, lines=self.content.lines) if known else None

    @property
    def live(self) -> bool:
        """Somebody seems to write to it."""
        return self.standing.state is State.RUNNING

    def over(self, run: int) -> bool:
        """Nothing more is expected of a run (0: of the file)."""
        newest = self.content.runs[-1].number if self.content.runs else 0
        quiet = self.known.is_set() and not self.live and (self._away or self._still > 1)
        return 0 < run < newest or quiet

    def end_of(self, run: int) -> int:
        """Byte of the file up to which a run (0: the file) is known to go."""
        told = self.runs.get(run)
        return told.begin + told.facts.size if told else self.content.size

    @property
    def generation(self) -> int:
        """Counts the files that have been at this place."""
        return self._file.generation

    def info(self) -> SessionInfo:
        """For clients."""
        last = self.content.runs[-1] if self.content.runs else None
        facts = last.facts if last else None
        return SessionInfo(
            id=self.id,
            name=self.meta.name,
            state=self.standing.state,
            folder=str(self.path.parent),
            created=self.meta.created,
            caffe="",
            device="",
            problems=self.standing.problems,
            iteration=facts.iteration if facts else 0,
            max_iter=(facts.max_iter or 0) if facts else 0,
            loss=facts.loss if facts else None,
            tests=facts.tests if facts else {},
            speed=self._pace.speed if self.live else None,
            eta=self._pace.eta if self.live else None,
            stalled=self.standing.stalled,
            runs=[self._run_info(told) for told in self.content.runs],
            busy=self.busy or (None if self.known.is_set() else "reading"),
            revision=revision(self.meta.name),
            kind="log",
            log=m.LogFile(
                path=self.meta.path,
                size=self.content.size,
                lines=self.content.lines,
                generation=self.generation,
            ),
        )

    def _run_info(self, told: Told) -> RunInfo:
        written = max(0, self.content.stamp.mtime_ns) / 1e9
        started = told.started if told.started is not None else written
        open_ = told is self.content.runs[-1] and self.live
        return RunInfo(
            number=told.number,
            started=started,
            ended=None if open_ else max(started, told.last if told.last is not None else written),
            resumed_from=told.resumed_from,
            log_size=told.facts.size,
            lines=told.facts.lines,
            ending=told.ending,
        )

    def changed(self) -> None:
        """Tell subscribers, soon."""
        self._hub.changed(self.id)

    def tell(self, text: str, error: bool = False) -> None:
        """Put a message on every console."""
        self._hub.notice(f"Log {self.id}", text, "error" if error else "text")

    # ----------------------------------------------------------------------------------------------- its life

    def begin(self) -> None:
        """Watch it from now on."""
        self._task = asyncio.create_task(self._watch())

    async def unload(self) -> None:
        """Let go of it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def remember(self) -> None:
        """Take over what an earlier agent found out, so that it need not be read again unless it changed."""
        try:
            self.content = await self.work(_remembered, self.folder)
        except (OSError, ValueError):
            return
        self._judge()
        self.known.set()

    async def use(self, work: Callable[[LogFile], T]) -> T:
        """Have something done to the parsed file. Raises what ``work`` does, and OSError."""
        self.keep()
        async with self._using:
            if not self._file.read:
                # What an earlier agent remembered is of a file at rest, too.
                await self._read_all(close=self._settled or self.unparsed is not None)
            return await self.work(work, self._file)

    def keep(self) -> None:
        """It is looked at: let it stay parsed for a while."""
        self._keep_until = time.monotonic() + REST

    def release(self) -> None:
        """Free what was parsed as soon as nobody writes to it any more; what it came to is known."""
        self._keep_until = 0.0

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except OSError as error:
                self._lost(error)
            except Exception as error:
                log.exception("log %s", self.id)
                self._lost(OSError(0, f"a mistake of the agent, see agent.log: {error!r}"))
            self.known.set()
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        if self.live or self._still < 2:
            return LIVE
        return IDLE if time.monotonic() < self._keep_until else FORGOTTEN

    async def _look(self) -> None:
        stamp = await self.work(self._file.stamp)
        if stamp != self.content.stamp:
            async with self._using:
                await self._grow()
        elif self._away:
            self._still = 0
        else:
            self._still += 1
        self._looked, self._away = True, False
        self._judge()
        if self._still == 2:
            self._wake()
        resting = self._still >= 2 and (not self.live or self.standing.stalled)
        small = self._still >= 2 and self.content.size <= SMALL
        if not self._settled and (resting or small):
            await self._settle()
        wanted = self.live or self._using.locked() or time.monotonic() < self._keep_until
        if self._still > 2 and not wanted:
            self._file.forget()

    async def _grow(self) -> None:
        before, generation = self.content.size, self.generation
        self._still, self._settled = 0, False
        await self._read_all()
        now = time.monotonic()
        if generation != self.generation:
            self._grew, self._growth = None, 0.0
            self.tell(f"{self.path.name} was cut off or replaced: it is read anew")
        elif self._looked and self.content.size > before:
            self._growth = max(self._growth, now - self._grew) if self._grew else 0.0
            self._grew = now
        self._wake()

    async def _read_all(self, close: bool = False) -> None:
        """Parse what there is, the last line without an end too if told to ``close``. The caller holds the
        parser.
        """
        began, more = time.monotonic(), True
        try:
            while more:
                more = await self.work(self._file.grow)
                if more and time.monotonic() - began > SLOW:
                    self.busy = f"read {100 * self._file.read // max(1, self._file.size)} %"
                    self.changed()
        finally:
            self.busy = None
        self.content, self._pace = await self.work(_survey, self._file, close)
        self.changed()

    async def _settle(self) -> None:
        """It has been quiet for a while: count a last line without an end, and keep what is known."""
        self._settled = True
        if self._file.read:
            async with self._using:
                self.content, self._pace = await self.work(_survey, self._file, True)
            self._judge()
        try:
            await self.work(_remember, self.folder, self.content)
        except OSError as error:
            # The next agent reads the log again.
            log.warning("log %s: %s", self.id, error)

    def _wake(self) -> None:
        """Send more of it to those who follow."""
        for run in (0, *self.runs):
            self._hub.log_grew(self.id, run)

    # ------------------------------------------------------------------------------------------------- states

    def _judge(self) -> None:
        content = self.content
        last = content.runs[-1].last if content.runs else None
        grew = time.monotonic() - self._grew if self._grew is not None else None
        quiet = quiet_for(time.time(), content.stamp.mtime_ns / 1e9, last, grew)
        self._stand(standing(content, self.path.name, quiet, self._growth))

    def _lost(self, error: OSError) -> None:
        """It cannot be read just now."""
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            text, hint = f"{self.path} is not there", "It is read on when it is back."
        elif isinstance(error, PermissionError):
            text, hint = f"{self.path} may not be read", "It is read as soon as its permissions allow."
        else:
            text, hint = f"{self.path} cannot be read: {error.strerror or error}", "It is tried again."
        self._away = True
        self._stand(Standing(State.INVALID, False, [Problem(text=text, hint=hint)]))
        self._wake()

    def _stand(self, now: Standing) -> None:
        before, self.standing = self.standing, now
        if now == before:
            return
        self.changed()
        if not self.known.is_set() or now.state is before.state:
            return
        text = f"{self.meta.name} is {now.state}"
        if now.problems:
            self.tell(f"{text}: {now.problems[0].text}", error=before.state is State.RUNNING)
        else:
            self.tell(text)


def _survey(file: LogFile, close: bool) -> tuple[Content, Pace]:
    if close:
        file.close()
    return file.content(), file.pace()


def _remembered(folder: Path) -> Content:
    try:
        return msgspec.msgpack.decode((folder / "content.msgpack").read_bytes(), type=Content)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def _remember(folder: Path, content: Content) -> None:
    # Not as JSON: that has no NaN.
    files.write(folder / "content.msgpack", msgspec.msgpack.encode(content))


def read_meta(folder: Path) -> LogMeta:
    """``log.json``. Raises OSError, ValueError."""
    meta = files.read_json(folder / "log.json", LogMeta)
    return msgspec.structs.replace(meta, id=folder.name)
