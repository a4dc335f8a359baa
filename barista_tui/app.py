"""The app: themes, the store, the links to hosts, the main screen."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec import structs
from textual import events
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size

from barista_server.api.messages import Notice, State
from barista_tui import cache, keymap, settings, theme
from barista_tui.calling import command
from barista_tui.fleet import Fleet
from barista_tui.hosts import Hosts, HostsError
from barista_tui.screens.main import MainScreen
from barista_tui.store import Store
from barista_tui.target import Target
from barista_tui.works import Works

SIZE_CHECK = 2.0
"""Seconds between two looks at the size of the terminal."""
THREADS = 32
"""At most, for what blocks: looking up names, reading files."""
UPDATE_PAUSE = 0.05
"""Seconds in which changes gather to one update of the screen."""


class BaristaApp(App[None]):
    """One screen on the agents of several hosts: ``target``'s and those of ``others`` (None: never any).

    ``connect=False`` shows what the store is given and asks no agent.
    """

    TITLE = "Barista"
    CSS_PATH = "barista.tcss"
    NOTIFICATION_TIMEOUT = 5

    def __init__(
        self,
        target: Target,
        title: str = "",
        select: str | None = None,
        connect: bool = True,
        now: Callable[[], float] = time.time,
        others: Sequence[Target] | None = None,
    ) -> None:
        super().__init__()
        self.target = target
        self.now = now
        self._update_due = False
        self.store = Store(self._store_changed)
        self.works = Works(self._store_changed, lambda text: self.main.say(text, "error"))
        self.fleet = Fleet([target, *(others or ())], self.store)
        self._all_hosts = others is not None
        self._connect = connect
        self._select = select
        self.settings = settings.load() if connect else settings.Settings()
        self.keymap = keymap.load() if connect else keymap.Keymap()
        self.main = MainScreen(title or target.title)
        for each in theme.THEMES:
            self.register_theme(each)
        self.color_range: theme.Colors = (
            "none" if self.no_color else "sixteen" if self.console.color_system == "standard" else "many"
        )
        self.theme = theme.theme_name(self.settings.dark, self.color_range)

    def on_mount(self) -> None:
        if self._connect:
            for host in self.fleet:
                if known := cache.load(str(host.target)):
                    self.store.remembered(host.name, known.sessions, known.time)
        self.set_keymap(dict(self.keymap.moves))
        self.push_screen(self.main)
        for problem in self.keymap.problems:
            self.store.noticed(Notice(time=self.now(), caller="Settings", kind="error", text=problem))
            self.main.say(problem, "warning")
        if self._select:
            self.main.want(self._select)
        if self._connect:
            # The first frame comes before the first byte to an agent.
            self.call_after_refresh(self._start_links)
        if not self.is_headless:
            self.set_interval(SIZE_CHECK, self._check_size)

    def _check_size(self) -> None:
        """Follow a resize whose signal was lost, as happens to programs behind several terminals."""
        size = Size(*shutil.get_terminal_size())
        if size != self.size:
            self.post_message(events.Resize(size, size))

    def _start_links(self) -> None:
        # Names of dead hosts that are looked up slowly must not take the threads of the others.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "barista"))
        self.fleet.start()

    async def on_unmount(self) -> None:
        """Nothing of the links is left behind."""
        await self.fleet.close()

    def reload_hosts(self) -> None:
        """The list of hosts has changed: follow it. Raises HostsError."""
        if self._all_hosts:
            self.fleet.become([self.target, *(Target(self.target.root, entry) for entry in Hosts().all())])

    def toggle_link(self, name: str) -> None:
        """Unlink a host or link it again, and remember that where the list of hosts has it."""
        offline = self.store.known.host(name).link.state != "offline"
        if offline:
            self._remember_list(name)
            self.fleet.unlink(name)
        else:
            self.fleet.relink(name)
        try:
            hosts = Hosts()
            for entry in hosts.all():
                if entry.name == name:
                    hosts.replace(name, structs.replace(entry, offline=offline))
        except (HostsError, OSError) as error:
            self.main.say(f"{name} will not stay {'off' if offline else 'on'}line: {error}", "warning")

    def _remember_list(self, name: str) -> None:
        host = self.store.known.host(name)
        if self._connect and host.epoch:
            at = host.news if host.news is not None else self.now()
            cache.save(str(self.fleet[name].target), list(host.sessions.values()), at)

    def _store_changed(self) -> None:
        if not self._update_due and self.is_running:
            self._update_due = True
            self.set_timer(UPDATE_PAUSE, self._update)

    def _update(self) -> None:
        self._update_due = False
        if self.main.is_mounted:
            self.main.show_known()

    def remember(self, now: settings.Settings) -> None:
        """Keep how the person looks at things for the next start, when that has changed."""
        if now != self.settings:
            self.settings = now
            if self._connect:
                settings.save(now)

    def leave(self) -> None:
        """Quit, and say what goes on."""
        for name in self.fleet.names:
            self._remember_list(name)
        ours = [session for session in self.store.known.sessions.values() if session.kind != "log"]
        active = [session.name for session in ours if session.state is State.RUNNING]
        words = None
        if active:
            names = ", ".join(active[:5]) + (" …" if len(active) > 5 else "")
            goes = "1 training goes on" if len(active) == 1 else f"{len(active)} trainings go on"
            again = command(self.target)
            words = f"{goes}: {names}. `{again}` shows {'it' if len(active) == 1 else 'them'} again."
        self.exit(message=words)

    def next_theme(self) -> None:
        """Dark, light."""
        self.theme = theme.theme_name(not self.current_theme.dark, self.color_range)

    def action_command_palette(self) -> None:
        """The palette of actions."""
        from barista_tui.palette import ActionPalette

        if not isinstance(self.screen, ActionPalette):
            self.push_screen(ActionPalette())

    def get_driver_class(self) -> type[Driver]:
        """The platform's driver, leaving no picture behind."""

        class LeavingDriver(super().get_driver_class()):  # type: ignore[misc]
            def stop_application_mode(self) -> None:
                # After a resize tmux keeps in the shell's window what stands above the cursor.
                self.write("\x1b[2J\x1b[999;1H")
                super().stop_application_mode()

        return LeavingDriver

    async def action_quit(self) -> None:
        """Ctrl+Q and the palette leave the same way."""
        self.leave()


def run(
    target: Target, title: str = "", select: str | None = None, others: Sequence[Target] | None = None
) -> int:
    """Show the screen until the person leaves. Returns the exit code."""
    for name in ("COLUMNS", "LINES"):
        # Exported by somebody, they would be believed instead of the terminal, also after a resize.
        os.environ.pop(name, None)
    app = BaristaApp(target, title, select, others=others)
    app.run()
    return app.return_code or 0
