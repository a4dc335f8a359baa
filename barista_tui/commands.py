"""What is done to sessions: each command asks the agent and says in a sentence what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from barista_server.api.link import LinkError
from barista_server.api.messages import (
    Call,
    DeleteSession,
    Failure,
    Keep,
    KeepSnapshots,
    MoveInQueue,
    PauseSession,
    QueueSession,
    RenameSession,
    ResetSession,
    Restore,
    SessionInfo,
    SessionReply,
    SnapshotReply,
    SnapshotSession,
    StartSession,
    State,
    TrashReply,
    UnqueueSession,
)
from barista_tui import format as fmt
from barista_tui.fleet import Fleet
from barista_tui.runway import keep_words
from barista_tui.store import Store
from barista_tui.ui import Where

__all__ = ["Commands", "Say", "failure_text", "loss_of_force"]

Say = Callable[[str, Literal["information", "warning", "error"]], None]


class Trashed(Struct, frozen=True):
    """What an undo would bring back, and on which host."""

    host: str
    trash: str
    what: str


def failure_text(failure: Failure) -> str:
    """What happened, where, what next."""
    lines = [failure.text]
    for problem in failure.problems:
        where = f"{problem.file}:{problem.line}" if problem.line is not None else problem.file
        text = f"{where}: {problem.text}" if where else problem.text
        if problem.text != failure.text:
            lines.append(text)
        if problem.hint:
            lines.append(problem.hint)
    if failure.hint:
        lines.append(failure.hint)
    return "\n".join(dict.fromkeys(lines))


def loss_of_force(session: SessionInfo) -> str:
    """What ending the process now throws away."""
    if not session.snapshots:
        return f"There is no snapshot: all {session.iteration} iterations are lost."
    last = session.snapshots[-1].iteration
    return (
        f"The last snapshot is at iteration {last}: {max(0, session.iteration - last)} iterations are lost."
    )


def _seen(session: SessionInfo) -> int | None:
    """By what it is decided; None where the agent does not tell."""
    return session.revision or None


class Commands:
    """Commands to the hosts of sessions. Calls raise CallFailed and LinkError; the caller shows them."""

    def __init__(self, fleet: Fleet, store: Store, say: Say) -> None:
        self._fleet = fleet
        self._store = store
        self._say = say
        self.trash: list[Trashed] = []

    async def start(self, host: str, session: SessionInfo, snapshot: int | None = None) -> None:
        """Start, or go on from a snapshot (None: the newest)."""
        await self._change(host, StartSession(session=session.id, snapshot=snapshot, seen=_seen(session)))

    async def pause(self, host: str, session: SessionInfo, force: Literal["", "term", "kill"] = "") -> None:
        """Stop with a snapshot, or by force without one."""
        # A polite pause loses nothing, whatever has happened meanwhile.
        seen = _seen(session) if force else None
        await self._change(host, PauseSession(session=session.id, force=force, seen=seen))

    async def toggle(self, host: str, session: SessionInfo) -> None:
        """Pause what runs, start what does not."""
        if session.state in (State.RUNNING, State.QUEUED):
            await self.pause(host, session)
        else:
            await self.start(host, session)

    async def toggle_queue(self, host: str, session: SessionInfo) -> None:
        """Take out of the queue what is in it, put in what is not; said where it waits for."""
        if session.queued is not None:
            changed = await self._change(host, UnqueueSession(session=session.id))
        else:
            changed = await self._change(host, QueueSession(session=session.id))
        if (queued := changed.queued) is not None:
            self._say(f"{session.name} is number {queued.place} in the queue: {queued.reason}", "information")

    async def move_in_queue(self, host: str, session: SessionInfo, where: Where) -> None:
        """Change its place."""
        await self._change(host, MoveInQueue(session=session.id, where=where))

    async def snapshot(self, host: str, session: SessionInfo) -> None:
        """Take a snapshot; said once both files are verified."""
        self._say(f"{session.name}: snapshot asked for", "information")
        reply = await self._fleet[host].call(SnapshotSession(session=session.id), SnapshotReply)
        taken = reply.snapshot
        text = f"{session.name}: snapshot taken at iteration {taken.iteration} ({fmt.size(taken.size)})"
        self._say(text, "information")

    async def rename(self, host: str, session: SessionInfo, name: str) -> None:
        """Give it another name."""
        await self._change(host, RenameSession(session=session.id, name=name, seen=_seen(session)))

    async def keep(self, host: str, session: SessionInfo, keep: Keep) -> None:
        """How many snapshots stay from now on."""
        call = KeepSnapshots(session=session.id, keep=keep, seen=_seen(session))
        changed = await self._change(host, call)
        gone = len(session.snapshots) - len(changed.snapshots)
        went = f"; {fmt.plural(gone, 'snapshot')} went" if gone > 0 else ""
        rule = keep_words(changed.keep) or "keeps all its snapshots"
        self._say(f"{session.name} {rule}{went}", "information")

    async def delete(self, host: str, session: SessionInfo) -> None:
        """Move it to the trash, and say how to get it back."""
        reply = await self._fleet[host].call(
            DeleteSession(session=session.id, seen=_seen(session)), TrashReply
        )
        if session.kind == "log":
            self.trash.append(Trashed(host, reply.trash, f"{session.name} is off the list"))
            self._say(f"{session.name} is off the list; the log stays. Press u to undo.", "information")
        else:
            self._trashed(host, reply, f"{session.name} is in the trash")

    async def reset(self, host: str, session: SessionInfo) -> None:
        """Move its runs and snapshots to the trash, and say how to get them back."""
        reply = await self._fleet[host].call(
            ResetSession(session=session.id, seen=_seen(session)), TrashReply
        )
        self._trashed(host, reply, f"Runs and snapshots of {session.name} are in the trash")

    async def undo(self) -> None:
        """Bring back what went last; what the agent cannot bring back is no more in the way of the others."""
        last = self.trash.pop()
        try:
            restored = await self._change(last.host, Restore(trash=last.trash))
        except LinkError:
            self.trash.append(last)
            raise
        self._say(f"{restored.name} is back", "information")

    async def _change(self, host: str, call: Call) -> SessionInfo:
        """The session as it is after a call, in the store too."""
        since = self._store.known.host(host).sequence
        session = (await self._fleet[host].call(call, SessionReply)).session
        self._store.changed_session(host, session, since)
        return session

    def _trashed(self, host: str, reply: TrashReply, what: str) -> None:
        self.trash.append(Trashed(host, reply.trash, what))
        gone = f"{fmt.plural(reply.files, 'file')}, {fmt.size(reply.size)}"
        self._say(f"{what} ({gone}). Press u to undo.", "information")
