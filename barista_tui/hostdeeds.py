"""What is done to the list of hosts from the screen, and the agent put on one of them."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs
from msgspec.structs import replace
from textual.worker import Worker

from barista_server.api.link import LinkError
from barista_tui import workers
from barista_tui.hosts import HostEntry, Hosts, HostsError
from barista_tui.store import Key
from barista_tui.works import Work

if TYPE_CHECKING:
    from barista_server.remote.collect import Progress
    from barista_tui.app import BaristaApp


class Removed(NamedTuple):
    """A reference that was deleted: its place on the screen, and in the list of hosts if it was there."""

    entry: HostEntry
    shown: int
    listed: int | None


class HostDeeds:
    """Changes both the person's list and what is shown, which differ while a project is open.

    All raise HostsError, and OSError where the list cannot be written.
    """

    def __init__(self, app: BaristaApp) -> None:
        self._app = app
        self.removed: list[Removed] = []
        self._installs: dict[str, Worker[None]] = {}

    def entry(self, name: str) -> HostEntry:
        """The reference to a host that is shown."""
        entry = self._app.fleet[name].target.host
        if entry is None:
            raise HostsError("this machine is always there")
        return entry

    def add(self, entry: HostEntry) -> None:
        """Show one more, and keep it on the list; one that is there already is only shown."""
        shown = self._app.host_entries()
        Hosts.check(entry, shown)
        hosts = Hosts()
        same = [
            each
            for each in hosts.all()
            if (each.name, each.address, each.via) == (entry.name, entry.address, entry.via)
        ]
        if not same:
            hosts.add(entry)
        self._app.arrange_hosts([*shown, *(same or [entry])])

    def rename(self, name: str, new: str) -> None:
        """Call it differently here; its sessions stay in sight while it is connected anew."""
        app, old = self._app, self.entry(name)
        fresh = structs.replace(old, name=new)
        entries = app.host_entries()
        Hosts.check(fresh, [each for each in entries if each.name != name])
        hosts = Hosts()
        if self._place(hosts.all(), name) is not None:
            hosts.replace(name, fresh)
        before = app.store.known.host(name)
        app.arrange_hosts([fresh if each.name == name else each for each in entries])
        if before.epoch or before.sessions:
            at = before.news if before.news is not None else app.now()
            app.store.remembered(new, list(before.sessions.values()), at)
        wish = app.main.sessions.wish
        hidden = frozenset(Key(new, key.session) if key.host == name else key for key in wish.hidden)
        folded = frozenset(new if host == name else host for host in wish.folded)
        app.main.sessions.wish_for(replace(wish, hidden=hidden, folded=folded))

    def remove(self, name: str) -> None:
        """The reference only: nothing happens on the host."""
        app, entry = self._app, self.entry(name)
        entries = app.host_entries()
        if len(app.fleet.names) == 1:
            raise HostsError(f"{name} is the only host that is shown")
        hosts = Hosts()
        listed = self._place(hosts.all(), name)
        if listed is not None:
            entry = hosts.remove(name)
        self.removed.append(Removed(entry, self._place(entries, name) or 0, listed))
        app.arrange_hosts([each for each in entries if each.name != name])

    def undo(self) -> str:
        """Bring back the reference that went last, to its place; its name."""
        last = self.removed[-1]
        entries = self._app.host_entries()
        Hosts.check(last.entry, entries)
        if last.listed is not None:
            hosts = Hosts()
            hosts.add(last.entry)
            hosts.move(last.entry.name, last.listed - len(hosts.all()) + 1)
        entries.insert(last.shown, last.entry)
        self._app.arrange_hosts(entries)
        self.removed.pop()
        return last.entry.name

    def move(self, name: str, places: int) -> None:
        """Up (negative) or down, as far as it goes."""
        entry, entries = self.entry(name), self._app.host_entries()
        at = self._place(entries, name) or 0
        hosts = Hosts()
        if self._place(hosts.all(), name) is not None:
            hosts.move(name, places)
        entries.pop(at)
        entries.insert(min(max(at + places, 0), len(entries)), entry)
        self._app.arrange_hosts(entries)

    @staticmethod
    def _place(entries: list[HostEntry], name: str) -> int | None:
        return next((place for place, each in enumerate(entries) if each.name == name), None)

    # ---------------------------------------------------------------------------------- the agent there

    def install(self, name: str, engine: bool = False) -> None:
        """Put the agent on a host, beside everything else; the tray shows how far it is."""
        if name in self._installs:
            self._app.main.say(f"The agent is being installed on {name} already", "warning")
            return
        entry = self.entry(name)
        self._installs[name] = workers.begin(
            self._app, partial(self._install, entry, engine), f"install on {name}"
        )

    async def _install(self, entry: HostEntry, engine: bool) -> None:
        app, name = self._app, entry.name
        work = app.works.begin(
            f"installing the agent on {name}", cancel=lambda: self._installs[name].cancel()
        )
        tell = _told_by_threads(work)
        try:
            # In a thread: it is slow to load.
            await asyncio.to_thread(importlib.import_module, "barista_tui.verbs.hostinstall")
            from barista_tui.verbs.hostinstall import installed_words, put_on

            done = await put_on(entry, tell, engine)
        except (LinkError, HostsError, OSError) as error:
            work.fail(str(error))
        except asyncio.CancelledError:
            app.main.say(f"Not installed on {name}; what was there stays in use", "warning")
            raise
        else:
            app.main.say("\n".join(installed_words(entry, done)), "information")
            if name in app.fleet and not entry.offline:
                app.fleet.relink(name)
        finally:
            work.end()
            del self._installs[name]

    async def commands(self, name: str) -> str:
        """The commands that do the same by hand; their wheels are made here first. Raises LinkError too."""
        entry = self.entry(name)
        work = self._app.works.begin("making wheels", unit="")
        try:
            await asyncio.to_thread(importlib.import_module, "barista_tui.verbs.hostinstall")
            from barista_server.remote.wheels import WheelError
            from barista_tui.verbs.hostinstall import commands_for

            try:
                return await commands_for(entry, _told_by_threads(work))
            except WheelError as error:
                raise LinkError(str(error)) from None
        finally:
            work.end()


def _told_by_threads(work: Work) -> Callable[[Progress], None]:
    """Wheels are made in a thread, which tells from there."""
    loop = asyncio.get_running_loop()

    def tell(progress: Progress) -> None:
        loop.call_soon_threadsafe(_tell, work, progress)

    return tell


def _tell(work: Work, progress: Progress) -> None:
    from barista_tui.verbs.hostinstall import STEPS

    if progress.step == "copy" and progress.total:
        work.say("")
        work.advance(progress.done, progress.total)
    else:
        work.say(STEPS[progress.step] + (f": {progress.about}" if progress.about else ""))
