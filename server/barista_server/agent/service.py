"""Calls in, results out: everything a client can ask of the agent."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from barista_server.agent import (
    cloning,
    comparing,
    editing,
    keeping,
    making,
    nets,
    offers,
    queueing,
    settings,
    signalling,
    trash,
    watch,
    weights,
)
from barista_server.agent.arrivals import Arrivals
from barista_server.agent.builds.calls import Builds
from barista_server.agent.caffes import Caffes
from barista_server.agent.client import Client, shorten
from barista_server.agent.datasets.service import Datasets
from barista_server.agent.deploying import Deploys
from barista_server.agent.errors import CallError
from barista_server.agent.exports import Exports
from barista_server.agent.hub import Hub
from barista_server.agent.imported import Imported
from barista_server.agent.imports import Imports
from barista_server.agent.launchers import Launchers
from barista_server.agent.names import SOME, find_named, valid_name
from barista_server.agent.queue import Queue
from barista_server.agent.reading import Reading
from barista_server.agent.resuming import Resuming
from barista_server.agent.seen import held
from barista_server.agent.session import LIVE, Host, Session
from barista_server.agent.slurm import calls as slurm_calls
from barista_server.agent.slurm.launcher import SlurmLauncher
from barista_server.agent.states import Happening, Refused, next_state
from barista_server.agent.store import Folder, Store
from barista_server.api import messages as m

LOADED = 32
"""Sessions that are loaded at a time."""
EDITS = 2.0
"""Seconds between two looks whether somebody edited a prototxt."""
log = logging.getLogger("barista.agent")


class Service:
    """The sessions of one root. ``stop`` ends the agent."""

    def __init__(self, root: Path, stop: Callable[[], None]) -> None:
        self.hub = Hub(self._describe)
        self._stop = stop
        self._store = Store(root)
        self._writer = ThreadPoolExecutor(1, "disk")
        self._slurm = SlurmLauncher(lambda text: self.hub.notice("Slurm", text, "text"))
        self._host = Host(root, self.hub, Caffes(root), self._disk, Launchers(self._slurm))
        self._sessions: dict[str, Session] = {}
        self._reading = Reading(self.hub)
        self._imports = Imports(self.hub, self._store, self._disk)
        self._datasets = Datasets(root, self.hub, self._disk)
        self._queue = Queue(self._host, self._all)
        self._resuming = Resuming(self._all, self._queue.start)
        self._builds = Builds(root, self._host.caffes, lambda: [*self._sessions.values()], self.hub)
        self._exports = Exports(root, self._find_session, self._datasets)
        places = (self._host, self._store, self._datasets, self._exports)
        self._arrivals = Arrivals(*places, self._add, self._all, self._find_session)
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls = self._all_calls(root)

    def _all_calls(self, root: Path) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
        """Who answers which call."""
        return {
            m.ListSessions: self._list_sessions,
            m.GetSession: self._get_session,
            m.ImportLog: self._import_log,
            **making.calls(self._host, self._store, self._add, self._all),
            **cloning.calls(self._host, self._store, self._find_session, self._add, self._all),
            **queueing.calls(self._queue, self._all, self._find_session),
            **settings.calls(self._find_session, self._queue.settled),
            **slurm_calls.calls(self._queue, self._find_session, self._slurm),
            **settings.default_calls(root, self._host.caffes, self._disk),
            m.PauseSession: self._pause,
            m.SnapshotSession: self._snapshot,
            m.ResetSession: self._reset,
            m.DeleteSession: self._delete,
            m.Restore: self._restore,
            m.RenameSession: self._rename,
            **offers.calls(),
            **self._builds.calls(),
            **self._reading.calls(self._find),
            **comparing.calls(self._find, self._find_session, self._reading),
            **weights.calls(self._find_session),
            **nets.calls(self._find_session),
            **keeping.calls(self._find_session),
            **editing.calls(self._find_session),
            **self._datasets.calls(),
            **self._exports.calls(),
            **Deploys(self._host.caffes, self._find_session, self._exports, self._datasets).calls(),
            **self._arrivals.calls(),
            **trash.calls(self._store, self._sessions, self.hub, self._disk),
            m.Subscribe: self._subscribe,
            m.UnfollowLog: self._unfollow_log,
            m.Ping: self._ping,
            m.StopAgent: self._stop_agent,
        }

    # ---------------------------------------------------------------------------------------------- life

    async def load(self) -> None:
        """Read the root and adopt what runs. Raises OSError when the root itself cannot be used."""
        folders = await self._disk(self._store.open)
        for first in range(0, len(folders), LOADED):
            # Together: each waits for threads, and one whose caffe may yet begin waits for that.
            await asyncio.gather(*map(self._load, folders[first : first + LOADED]))
        await self._imports.load()
        await self._datasets.load()
        await self._arrivals.load()
        await self._queue.load()
        self._resuming.load()
        self._tasks.add(asyncio.create_task(self._watch_edits()))

    async def _load(self, folder: Folder) -> None:
        try:
            await self._add(folder)
        except (OSError, ValueError) as error:
            # One broken folder must not keep the others from loading.
            log.exception("session %s cannot be loaded", folder.path)
            self.hub.notice("Agent", f"session {folder.path.name} cannot be loaded: {error}", "error")

    async def close(self) -> None:
        """Let go of everything; trainings go on."""
        for task in self._tasks:
            task.cancel()
        await self._queue.close()
        await self._resuming.close()
        for session in self._sessions.values():
            await session.unload()
        await self._reading.close()
        await self._slurm.close()
        await self._imports.close()
        await self._datasets.close()
        self._exports.close()
        self._writer.shutdown()

    @property
    def busy(self) -> bool:
        """Something trains, waits for it, is on its way to or from it, or is hashed."""
        trains = any(one.underway or one.busy for one in self._sessions.values())
        return trains or self._queue.waiting or self._resuming.waiting or self._datasets.busy

    def forget(self, client: Client) -> None:
        """A client is gone."""
        self.hub.listeners.discard(client)
        self._datasets.forget(client)
        self._exports.forget(client)
        self._arrivals.forget(client)

    async def answer(self, client: Client, call: m.Call) -> m.Result:
        """Carry out a call; what goes wrong becomes a Failure."""
        if client.role != "owner" and not m.only_looks(call):
            text = f"this key may look, but not act ({type(call).__name__})"
            return m.Failure(
                code="forbidden", text=text, hint="Ask the host's owner for a key without a role."
            )
        try:
            return await self._calls[type(call)](call, client)
        except Refused as error:
            return m.Failure(code="refused", text=self._about(call, str(error)))
        except CallError as error:
            return m.Failure(
                code=error.code, text=self._about(call, error.text), hint=error.hint, problems=error.problems
            )
        except FileNotFoundError as error:
            hint = "Bring it back from a copy; or if the whole folder was moved, move it back."
            return m.Failure(code="disk", text=f"there is no {error.filename} any more", hint=hint)
        except OSError as error:
            log.warning("%s: %s", shorten(call), error)
            where = f": {error.filename}" if error.filename else ""
            text = f"the disk refused: {error.strerror or error}{where}"
            return m.Failure(code="disk", text=text, hint="Make room or correct the permissions; try again.")
        except Exception as error:
            log.exception("%s", shorten(call))
            text = f"{type(error).__name__}: {error}"
            return m.Failure(code="internal", text=text, hint="A mistake of the agent: see agent.log.")

    def _about(self, call: m.Call, text: str) -> str:
        try:
            session = self._find(call)
        except CallError:
            return text
        # What is no half of a sentence about the session is one of its own.
        colon = ":" if text.startswith(("'", "there is ")) else ""
        return f"{session.meta.name}{colon} {text}"

    async def _add(self, folder: Folder) -> Session:
        meta, repaired = await self._disk(folder.load)
        session = Session(self._host, folder, meta)
        self._sessions[meta.id] = session
        if repaired:
            session.tell(repaired, error=True)
        await watch.load(session)
        self.hub.changed(session.id)
        return session

    async def _watch_edits(self) -> None:
        while True:
            await asyncio.sleep(EDITS)
            idle = [one for one in self._sessions.values() if one.state not in LIVE and not one.lock.locked()]
            # One trip to a thread for all: hundreds of idle sessions are to cost nothing.
            for session in await asyncio.to_thread(
                lambda among: [one for one in among if one.edited()], idle
            ):
                try:
                    await session.check()
                except OSError as error:
                    log.warning("session %s: %s", session.id, error)

    async def _disk(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._writer, partial(function, *arguments))

    def _describe(self, session: str) -> m.SessionInfo | None:
        found = self._sessions.get(session) or self._imports.logs.get(session)
        return found.info() if found else None

    def _all(self) -> list[Session | Imported]:
        return [*self._sessions.values(), *self._imports.logs.values()]

    # ------------------------------------------------------------------------------------------- finding

    def _find(self, call: Any) -> Session | Imported:
        """By id, unique name, or unique id prefix. Raises CallError."""
        wanted = getattr(call, "session", None)
        if wanted is None:
            raise CallError("not-found", "this call is about no session")
        return find_named(self._all(), wanted)

    def _find_session(self, call: Any) -> Session:
        """One that can be trained. Raises CallError."""
        found = self._find(call)
        if isinstance(found, Imported):
            hint = "Make a session of its net and solver to train it here: barista new."
            raise CallError("refused", "is an imported log: it is only watched", hint)
        return found

    # --------------------------------------------------------------------------------------------- calls

    async def _list_sessions(self, call: m.ListSessions, client: Client) -> m.Result:
        return m.SessionList(sessions=[one.info() for one in self._all()])

    async def _get_session(self, call: m.GetSession, client: Client) -> m.Result:
        return m.SessionReply(session=self._find(call).info())

    async def _import_log(self, call: m.ImportLog, client: Client) -> m.Result:
        one = await self._imports.take(call, {known.meta.name for known in self._all()})
        self._reading.imported(one)
        return m.SessionReply(session=one.info())

    async def _pause(self, call: m.PauseSession, client: Client) -> m.Result:
        session = self._find_session(call)
        async with held(session, call):
            if session.state is m.State.QUEUED and not call.force and session.underway is None:
                await self._queue.take_out(session)
            elif call.force:
                await signalling.force(session, signal.SIGTERM if call.force == "term" else signal.SIGKILL)
            elif session.state not in (m.State.PAUSING, m.State.PAUSED):
                await signalling.pause(session)
        return m.SessionReply(session=session.info())

    async def _snapshot(self, call: m.SnapshotSession, client: Client) -> m.Result:
        session = self._find_session(call)
        return m.SnapshotReply(session=session.id, snapshot=await signalling.snapshot(session))

    async def _reset(self, call: m.ResetSession, client: Client) -> m.Result:
        session = self._find_session(call)
        async with held(session, call):
            next_state(session.state, Happening.RESET)
            files = await asyncio.to_thread(session.shelf.all_files)
            trash, count, size = await self._disk(self._store.reset, session.folder, files)
            session.runs.clear()
            await session.look(settled=True)
            session.happen(Happening.RESET)
            await session.check(again=True)
        session.tell(f"reset: {count} files are in the trash as {trash}")
        return m.TrashReply(trash=trash, session=session.id, files=count, size=size)

    async def _delete(self, call: m.DeleteSession, client: Client) -> m.Result:
        session = self._find(call)
        if isinstance(session, Imported):
            return await self._imports.delete(session, call)
        async with held(session, call):
            next_state(session.state, Happening.DELETE)
            gone = not await asyncio.to_thread(session.folder.path.exists)
            if not gone:
                trash, count, size = await self._disk(self._store.delete, session.folder)
            # Two may delete it at once.
            self._sessions.pop(session.id, None)
            await session.unload()
        self.hub.removed(session.id)
        if gone:
            raise CallError(
                "not-found", f"{session.meta.name} has no folder any more; it is off the list now"
            )
        session.tell(f"deleted: {session.meta.name} is in the trash as {trash}")
        return m.TrashReply(trash=trash, session=session.id, files=count, size=size)

    async def _restore(self, call: m.Restore, client: Client) -> m.Result:
        try:
            path, number, what = await self._disk(self._store.find_trash, call.trash)
        except KeyError:
            there = (await self._disk(self._store.trashed))[-SOME:]
            hint = f"The newest things there are: {', '.join(there)}." if there else "The trash is empty."
            raise CallError("not-found", f"there is nothing in the trash as '{call.trash}'", hint) from None
        if what == "delete" and await self._disk((path / "log.json").exists):
            one = await self._imports.restore(path, number)
            return m.SessionReply(session=one.info())
        if what == "delete":
            folder = await self._disk(self._store.restore_delete, path, number)
            session = await self._add(folder)
        else:
            session = await self._restore_reset(path, number)
        session.tell(f"restored from {call.trash}")
        return m.SessionReply(session=session.info())

    async def _restore_reset(self, path: Path, number: str) -> Session:
        session = self._sessions.get(number)
        if session is None:
            raise CallError("refused", f"session {number} is not there", "Restore the session itself first.")
        async with session.lock:
            try:
                await self._disk(self._store.restore_reset, path, session.folder)
            except FileExistsError:
                text = f"session {number} has been trained since"
                raise CallError("refused", text, "Reset it once more, then restore the older one.") from None
            await session.unload()
            return await self._add(session.folder)

    async def _rename(self, call: m.RenameSession, client: Client) -> m.Result:
        session = self._find(call)
        if isinstance(session, Imported):
            await self._imports.rename(session, call)
            return m.SessionReply(session=session.info())
        name = valid_name(call.name)
        async with held(session, call):
            before = session.meta.name
            session.meta.name = name
            try:
                await self._disk(session.folder.save, session.meta)
            except OSError:
                session.meta.name = before
                raise
            await session.note("renamed", name=name)
        session.changed()
        return m.SessionReply(session=session.info())

    async def _subscribe(self, call: m.Subscribe, client: Client) -> m.Result:
        # No await from here on: what is told is complete up to ``sequence``; what follows comes as events.
        self.hub.listeners.add(client)
        missed = self.hub.since(call.epoch, call.after) if call.epoch else None
        if missed is not None:
            for event in missed:
                client.take(event)
            return m.Subscribed(complete=False, sequence=self.hub.sequence)
        sessions = [one.info() for one in self._all()]
        return m.Subscribed(
            complete=True, sequence=self.hub.sequence, sessions=sessions, notices=self.hub.notices()
        )

    async def _unfollow_log(self, call: m.UnfollowLog, client: Client) -> m.Result:
        client.unfollow(self._find(call).id, call.run)
        return m.Done()

    async def _ping(self, call: m.Ping, client: Client) -> m.Result:
        return m.Done()

    async def _stop_agent(self, call: m.StopAgent, client: Client) -> m.Result:
        # After the answer has had its chance to leave.
        asyncio.get_running_loop().call_later(0.1, self._stop)
        return m.Done()
