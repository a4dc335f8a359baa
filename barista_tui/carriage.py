"""Copies, moves and deployments begun on the screen: a line in the tray each, the same code as the verbs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import Notice, SessionInfo
from barista_server.api.transfers import ExportSession
from barista_server.copying.names import ParcelError
from barista_tui import deploying, format, moving
from barista_tui.callers import OWN
from barista_tui.commands import Trashed, failure_text
from barista_tui.deploying import DeployWish
from barista_tui.moving import MissingData, MoveError, Report
from barista_tui.transfer import Outcome, Progress, Source, Target
from barista_tui.transfer_ends import FolderSource, FolderTarget, HostSource, HostTarget, new_attempt
from barista_tui.transfer_tries import links, persistently
from barista_tui.works import Work

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp
    from barista_tui.target import Target as Place

R = TypeVar("R")


class Carriage:
    """Begins them. Each is a task of the app; x in the tray cancels it, the same again goes on."""

    def __init__(self, app: BaristaApp) -> None:
        self._app = app

    def fetch(self, host: str, session: SessionInfo, call: ExportSession, into: Path) -> None:
        """Snapshots, or the folder, of a session into a folder here."""
        place = self._place(host)

        @asynccontextmanager
        async def ends() -> AsyncIterator[tuple[Source, Target]]:
            async with links(place) as (link,):
                yield HostSource(link, call), FolderTarget(into)

        def told(outcome: Outcome) -> None:
            self._say(f"{session.name}: {_amount(outcome)}, checked: {outcome.arrived.path}", outcome)

        what = "" if call.folder else "snapshot of "
        self._begin(f"fetching {what}{session.name} from {host}", self._copy(ends), told)

    def put(self, folder: Path, host: str, name: str) -> None:
        """A training's folder that lies here becomes a session of a host."""
        place, attempt = self._place(host), new_attempt()

        @asynccontextmanager
        async def ends() -> AsyncIterator[tuple[Source, Target]]:
            async with links(place) as (link,):
                yield FolderSource(folder, folder.name), HostTarget(link, attempt, name)

        def told(outcome: Outcome) -> None:
            self._say(f"{folder} is a session of {host}: {outcome.arrived.path}", outcome)
            self._show(host, outcome.arrived.session)

        self._begin(f"putting {folder.name} on {host}", self._copy(ends), told)

    def move(self, host: str, session: SessionInfo, to: str, wish: moving.Wish) -> None:
        """Pause, copy, check, go on there; here it goes to the trash."""
        here, there = self._place(host), self._place(to)

        def told(moved: moving.Moved) -> None:
            stays = "stays here too" if wish.keep else "is in the trash here, u brings it back"
            self._say(f"{session.name} is on {to} as {moved.session.id} now; it {stays}", moved.outcome)
            if moved.trash:
                trashed = Trashed(host, moved.trash, f"{session.name} went to {to}")
                self._app.main.commands.trash.append(trashed)
            for problem in moved.problems:
                self._app.main.fail(problem)
            self._show(to, moved.session)

        self._begin(
            f"moving {session.name} to {to}", lambda report: moving.move(here, there, wish, report), told
        )

    def copy_dataset(self, host: str, dataset: str, name: str, to: str) -> None:
        """A dataset onto another host, unless the same data is there."""
        here, there = self._place(host), self._place(to)

        def told(found: tuple[object, Outcome | None]) -> None:
            outcome = found[1]
            if outcome is None:
                self._told(f"The same data as {name} is on {to} already")
            else:
                self._say(f"{name} is on {to}: {outcome.arrived.path}", outcome)

        self._begin(
            f"copying {name} to {to}", lambda report: moving.copy_dataset(here, there, dataset, report), told
        )

    def deploy(self, host: str, session: SessionInfo, wish: DeployWish, into: Path) -> None:
        """A net to be used, of a snapshot."""
        place = self._place(host)

        def told(done: deploying.Deployed) -> None:
            lines = [f"{session.name} is deployed: {done.path}", deploying.check_words(done.facts.check)]
            self._told("\n".join([*lines, *done.facts.left_out]))

        self._begin(
            f"deploying {session.name}", lambda report: deploying.deploy(place, wish, into, report), told
        )

    # ---------------------------------------------------------------------------------- carrying

    def _place(self, host: str) -> Place:
        return self._app.fleet[host].target

    @staticmethod
    def _copy(
        ends: Callable[[], object],
    ) -> Callable[[Report], Awaitable[Outcome]]:
        return lambda report: persistently(ends, report.tell, report.lost)  # type: ignore[arg-type]

    def _begin(self, label: str, deed: Callable[[Report], Awaitable[R]], told: Callable[[R], None]) -> None:
        if label in self._app.carried:
            self._app.main.say(f"It goes on already: {label}. X shows it.", "warning")
            return
        task = asyncio.create_task(self._carry(label, deed, told), name=label)
        self._app.carried[label] = task
        task.add_done_callback(lambda task: self._over(label, task))

    def _over(self, label: str, task: asyncio.Task[None]) -> None:
        self._app.carried.pop(label, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._app.main.fail(f"A mistake of this program, in {label}: {error!r}")

    async def _carry(
        self, label: str, deed: Callable[[Report], Awaitable[R]], told: Callable[[R], None]
    ) -> None:
        main = self._app.main
        task = asyncio.current_task()
        assert task is not None

        def cancel() -> None:
            # Once: a session that was being moved is put back as it was, which must not be cut short.
            if not task.cancelling():
                work.say("ending it")
                task.cancel()

        work = self._app.works.begin(label, cancel=cancel)
        followed = _Followed(work, lambda text: main.say(text, "information"))
        try:
            done = await deed(Report(followed.tell, work.say, followed.lost))
        except CallFailed as error:
            main.fail(f"Not done: {label}.\n{failure_text(error.failure)}")
        except (ParcelError, MoveError) as error:
            hint = error.hint
            if isinstance(error, MissingData):
                hint = "Tick 'data' to have it copied along, or copy it in the datasets (F2, c)."
            main.fail("\n".join([f"Not done: {label}.", str(error), *([hint] if hint else [])]))
        except (LinkError, OSError) as error:
            main.fail(f"Not done: {label}.\n{error}")
        except asyncio.CancelledError:
            main.say(f"Cancelled: {label}.{followed.left}", "warning")
            raise
        else:
            told(done)
        finally:
            work.end()

    def _say(self, text: str, outcome: Outcome) -> None:
        """What has arrived, and what a person should know of it."""
        lines = [text, *(f"left out: {one}" for one in outcome.parcel.left_out[:3]), *outcome.arrived.notes]
        self._told("\n".join(lines))

    def _told(self, text: str) -> None:
        """Said, and kept among the notices, where the place can be read again."""
        self._app.main.say(text, "information")
        self._app.store.noticed(Notice(time=self._app.now(), caller=OWN, kind="text", text=text))

    def _show(self, host: str, session: SessionInfo | None) -> None:
        if session is not None and host in self._app.fleet:
            self._app.store.changed_session(host, session)
            self._app.main.want(session.id, host)


class _Followed:
    """Keeps a line of the tray up to a copy."""

    def __init__(self, work: Work, say: Callable[[str], None]) -> None:
        self._work = work
        self._say = say
        self._last: Progress | None = None

    def tell(self, progress: Progress) -> None:
        if self._last is None or self._last.total != progress.total:
            self._work.go_on(progress.resumed)
            if progress.resumed:
                there = format.size(progress.resumed)
                self._say(f"{self._work.line.label} goes on: {there} are there already")
        self._last = progress
        self._work.say("")
        self._work.advance(progress.done, progress.total)

    def lost(self, error: LinkError, pause: float) -> None:
        self._work.say(f"the link broke, again in {pause:g} s")

    @property
    def left(self) -> str:
        """What is there already, as a sentence."""
        if self._last is None:
            return ""
        there, total = format.size(self._last.done), format.size(self._last.total)
        return f"\n{there} of {total} are there; the same again goes on from there."


def _amount(outcome: Outcome) -> str:
    return f"{format.plural(len(outcome.parcel.files), 'file')}, {format.size(outcome.total)}"
