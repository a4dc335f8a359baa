"""Sessions and datasets from host to host, as a whole: what is to be there, the copy, what follows it.

No screen here and nothing printed: a :class:`Report` is told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from msgspec import Struct, field

from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.messages import (
    AddDataset,
    Call,
    DatasetInfo,
    DatasetList,
    DatasetReply,
    DeleteSession,
    Done,
    GetDataset,
    GetSession,
    HashDataset,
    ListDatasets,
    NoteMove,
    PauseSession,
    SessionInfo,
    SessionReply,
    StartSession,
    State,
    TrashReply,
)
from barista_server.api.transfers import (
    CancelImport,
    ExportDataset,
    ExportSession,
    ImportState,
    InputFound,
    Parcel,
    ParcelInput,
)
from barista_tui.target import Target as Host
from barista_tui.transfer import Outcome, Source, Target, Tell
from barista_tui.transfer_ends import HostSource, HostTarget, key_of, new_attempt
from barista_tui.transfer_tries import PAUSES, Ends, Lost, links, persistently

LOOK = 0.25
"""Seconds between two looks at what another host is doing."""
BEGINS = 30.0
"""Seconds that are waited for a moved training to show that it trains."""


class MoveError(Exception):
    """Why it is not done; ``hint`` says what to do, ``code`` is that of a Failure."""

    def __init__(self, text: str, hint: str | None = None, code: str = "refused") -> None:
        super().__init__(text)
        self.hint = hint
        self.code = code


class MissingData(MoveError):
    """``missing``: what the session's files name and the other host does not have."""

    def __init__(self, there: Host, missing: Sequence[tuple[ParcelInput, InputFound]]) -> None:
        names = [f"{found.path}" + (f" ({found.problem})" if found.problem else "") for _, found in missing]
        super().__init__(f"{there.name} does not have the data of this session: {', '.join(names)}")
        self.missing = [one for one, _ in missing]
        known = [one.name or one.dataset for one in self.missing if one.dataset]
        if len(known) == len(self.missing):
            self.hint = (
                f"Copy it along with --with-data, or by itself: barista input copy {known[0]} --to HOST"
            )
        else:
            self.hint = (
                "Put it there under the same path, or on this host's list, to be copied: barista input add"
            )


class Report(Struct):
    """``say`` is told each step, as a sentence."""

    tell: Tell
    say: Callable[[str], None]
    lost: Lost


class Wish(Struct, frozen=True):
    """How a session is to be moved."""

    session: str
    start: bool = True
    keep: bool = False
    all_snapshots: bool = False
    with_data: bool = False
    caffe: str = ""
    device: str = ""


class Moved(Struct):
    """What a move came to. ``trash``: where the source is, for ``restore``; empty if it was kept."""

    session: SessionInfo
    outcome: Outcome
    trash: str = ""
    problems: list[str] = field(default_factory=list)


def between(
    here: Host, there: Host, call: ExportSession | ExportDataset, make: Callable[[Link], Target]
) -> Ends:
    """Ends of a copy from host to host, through this machine."""

    @asynccontextmanager
    async def ends() -> AsyncIterator[tuple[Source, Target]]:
        async with links(here, there) as (one, other):
            yield HostSource(one, call), make(other)

    return ends


# --------------------------------------------------------------------------------------------------- datasets


async def copy_dataset(
    here: Host, there: Host, dataset: str, report: Report
) -> tuple[DatasetInfo, Outcome | None]:
    """The dataset on the other host, and what was copied (None: the same data was there already). Raises
    MoveError, CallFailed, LinkError, OSError, ParcelError.
    """
    async with links(here, there) as (one, other):
        known = (await one.call(GetDataset(dataset=dataset), DatasetReply)).dataset
        if not known.content or known.changed or known.job:
            report.say(f"{known.name} is hashed first, so that it can be compared")
            known = await _hashed(one, HashDataset(dataset=known.id), report)
        present = (await other.call(ListDatasets(), DatasetList)).datasets
    if same := _same(present, known.content):
        return same, None
    attempt = new_attempt()
    call = ExportDataset(dataset=known.id)
    ends = between(here, there, call, lambda link: HostTarget(link, attempt, name=known.name))
    outcome = await persistently(ends, report.tell, report.lost)
    name = known.name if all(one.name != known.name for one in present) else ""
    add = AddDataset(path=outcome.arrived.path, name=name, kind=known.facts.kind)
    async with links(there) as (other,):
        report.say(f"{there.name} makes sure that it is the same data")
        arrived = await _hashed(other, add, report)
    if arrived.content != known.content:
        text = f"{arrived.path} on {there.name} holds other data than {known.path}: {arrived.problem or ''}"
        raise MoveError(text.rstrip(": "), "Look at both: barista input show", "damaged")
    return arrived, outcome


def _same(among: Sequence[DatasetInfo], content: str) -> DatasetInfo | None:
    return next((one for one in among if one.content == content and one.alive and not one.changed), None)


async def _hashed(link: Link, call: Call, report: Report) -> DatasetInfo:
    """Carry out a call that begins to hash; the dataset once that has ended. Raises CallFailed, LinkError."""
    found = (await link.call(call, DatasetReply)).dataset
    while found.job is not None:
        await asyncio.sleep(LOOK)
        found = (await link.call(GetDataset(dataset=found.id), DatasetReply)).dataset
    if found.problem:
        raise MoveError(f"{found.name} cannot be hashed: {found.problem}")
    return found


# --------------------------------------------------------------------------------------------------- sessions


async def move(here: Host, there: Host, wish: Wish, report: Report) -> Moved:
    """Pause, copy, check, start there; only then take it away here. Raises MoveError, CallFailed, LinkError,
    OSError, ParcelError: then the session is here as it was, and goes on if it had been running.
    """
    if here.same_place(there):
        raise MoveError(
            f"the session is on {there.name} already", "Say where it is to go: --to HOST", "invalid"
        )
    before = await _could_go(here, there, wish, report)
    arrived: SessionInfo | None = None
    try:
        paused = await _paused(here, before, report)
        starts = wish.start and paused.state is not State.FINISHED
        outcome = await _over(here, there, before, wish, starts, report)
        arrived = outcome.arrived.session
        if arrived is None:
            raise MoveError(f"{before.name} was taken away on {there.name} meanwhile")
        session = await _started(there, arrived, report) if starts else arrived
    except BaseException as error:
        # Also when the person ends it: a training is not left standing. But it shall not train twice.
        if arrived is not None and not isinstance(error, CallFailed | MoveError):
            where = f"{before.name} is on {there.name} as {arrived.id}, and may train there"
            report.say(f"{where}; here it is paused")
        else:
            await asyncio.shield(_as_before(here, before, report))
        raise
    moved = Moved(session, outcome)
    await _leave(here, there, before, moved, wish.keep)
    return moved


async def _over(
    here: Host, there: Host, session: SessionInfo, wish: Wish, starts: bool, report: Report
) -> Outcome:
    """Copy it, through broken links."""
    call = ExportSession(session=session.id, snapshots="all" if wish.all_snapshots else "newest")
    attempt = new_attempt()

    def make(link: Link) -> Target:
        return HostTarget(link, attempt, caffe=wish.caffe, device=wish.device, startable=starts)

    def ready(parcel: Parcel, state: ImportState) -> None:
        if state.finished is None:
            _need_data(there, parcel, state)

    return await persistently(between(here, there, call, make), report.tell, report.lost, ready)


async def _could_go(here: Host, there: Host, wish: Wish, report: Report) -> SessionInfo:
    """Find out what would be in the way before anything is stopped; copy missing data if that is wished."""
    while True:
        async with links(here, there) as (one, other):
            session = (await one.call(GetSession(session=wish.session), SessionReply)).session
            _refuse(session)
            source = HostSource(one, ExportSession(session=session.id))
            target = HostTarget(other, new_attempt(), caffe=wish.caffe, device=wish.device)
            parcel = await source.open()
            state = await target.open(parcel)
            await source.close()
            try:
                if wish.start and session.state is not State.FINISHED and not state.caffe:
                    text = f"{there.name} has no caffe '{wish.caffe or session.caffe}' that works"
                    hint = f"See: barista caffes --host {there.name}; choose with --caffe NAME"
                    raise MoveError(text, hint)
                _need_data(there, parcel, state)
                return session
            except MoveError as error:
                problem = error
                if not any(state.at):
                    await other.call(CancelImport(key=key_of(parcel)), Done)
        await _bring(here, there, wish, problem, report)


async def _bring(here: Host, there: Host, wish: Wish, problem: MoveError, report: Report) -> None:
    """Copy what is missing there if that is wished and possible; else raises the problem."""
    if not isinstance(problem, MissingData) or not wish.with_data:
        raise problem
    if not all(one.dataset for one in problem.missing):
        raise problem
    for number, name in {one.dataset: one.name for one in problem.missing}.items():
        report.say(f"{there.name} does not have {name}: it is copied first")
        await copy_dataset(here, there, number, report)


def _refuse(session: SessionInfo) -> None:
    """Raises MoveError for what cannot be moved."""
    if session.kind == "log":
        raise MoveError(
            f"{session.name} is an imported log, which is only watched", "Import it on that host."
        )
    if session.queued is not None:
        raise MoveError(
            f"{session.name} waits in the queue", f"Take it out first: barista queue rm {session.id}"
        )


def _need_data(there: Host, parcel: Parcel, state: ImportState) -> None:
    pairs = zip(parcel.inputs, state.inputs, strict=False)
    if missing := [(one, found) for one, found in pairs if not found.there]:
        raise MissingData(there, missing)


async def _paused(here: Host, before: SessionInfo, report: Report) -> SessionInfo:
    """The session once it does not run. Raises MoveError if it did not end with a good snapshot."""
    if before.state not in (State.RUNNING, State.PAUSING):
        return before
    async with links(here) as (one,):
        if before.state is State.RUNNING:
            report.say(f"{before.name} is paused, with a snapshot")
            await one.call(PauseSession(session=before.id), SessionReply)
        found = await _until(one, before.id, lambda now: now.state not in (State.RUNNING, State.PAUSING))
    assert found is not None
    if found.state not in (State.PAUSED, State.FINISHED):
        why = f": {found.problems[0].text}" if found.problems else ""
        raise MoveError(f"{found.name} is {found.state.value} instead of paused{why}")
    return found


async def _started(there: Host, session: SessionInfo, report: Report) -> SessionInfo:
    """Start it on the other host, and see it train; else it goes to the trash there, and that is raised."""
    report.say(f"{session.name} is started on {there.name}")
    for pause in PAUSES:
        try:
            async with links(there) as (other,):
                return await _start(other, there, session)
        except LinkError as error:
            report.lost(error, pause)
            await asyncio.sleep(pause)
    async with links(there) as (other,):
        return await _start(other, there, session)


async def _start(other: Link, there: Host, session: SessionInfo) -> SessionInfo:
    ended = (State.FAILED, State.INTERRUPTED, State.INVALID)
    try:
        now = (await other.call(GetSession(session=session.id), SessionReply)).session
        # An earlier try, of which the answer was lost, may have started it.
        if len(now.runs) == len(session.runs):
            await other.call(StartSession(session=session.id), SessionReply)
        found = await _until(
            other,
            session.id,
            lambda now: now.loss is not None or now.state in (*ended, State.FINISHED),
            BEGINS,
        )
        if found is not None and found.state in ended:
            why = found.problems[0].text if found.problems else found.state.value
            raise MoveError(f"{session.name} does not train on {there.name}: {why}")
    except (CallFailed, MoveError):
        with suppress(CallFailed, LinkError):
            await other.call(DeleteSession(session=session.id), TrashReply)
        raise
    return found or (await other.call(GetSession(session=session.id), SessionReply)).session


async def _until(
    link: Link, session: str, good: Callable[[SessionInfo], bool], longest: float | None = None
) -> SessionInfo | None:
    """The session once it is as wanted; None after ``longest`` seconds."""
    end = time.monotonic() + longest if longest is not None else None
    while True:
        found = (await link.call(GetSession(session=session), SessionReply)).session
        if good(found):
            return found
        if end is not None and time.monotonic() > end:
            return None
        await asyncio.sleep(LOOK)


async def _as_before(here: Host, before: SessionInfo, report: Report) -> None:
    """If it had been running and does not any more, let it go on."""
    if before.state is not State.RUNNING:
        return
    try:
        async with links(here) as (one,):
            now = await _until(one, before.id, lambda now: now.state is not State.PAUSING, BEGINS)
            if now is not None and now.state is State.PAUSED:
                await one.call(StartSession(session=before.id), SessionReply)
                report.say(f"{before.name} goes on here")
    except (CallFailed, LinkError) as error:
        report.say(f"{before.name} could not be started again here: {error}")


async def _leave(here: Host, there: Host, before: SessionInfo, moved: Moved, keep: bool) -> None:
    """Write down where it went, and take it away unless it is to be kept."""
    place = f"{there.name}:{moved.session.folder}"
    try:
        async with links(here) as (one,):
            await one.call(NoteMove(session=before.id, to=place, number=moved.session.id), Done)
            if not keep:
                moved.trash = (await one.call(DeleteSession(session=before.id), TrashReply)).trash
    except (CallFailed, LinkError) as error:
        moved.problems.append(f"it is still on {here.name}, do not start it there: {error}")
