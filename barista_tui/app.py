"""The app: themes, the store, the links to hosts, the main screen."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import structs
from rich.color import ColorSystem
from textual import events
from textual.driver import Driver
from textual.geometry import Size

from barista_server.api.local import default_root
from barista_server.api.messages import Notice
from barista_tui import (
    cache,
    garbage,
    keymap,
    leaving,
    looks,
    managerkeys,
    openfile,
    pixels,
    projects,
    settings,
    theme,
)
from barista_tui.fleet import Fleet
from barista_tui.hostdeeds import HostDeeds
from barista_tui.hosts import LOCAL, HostEntry, Hosts, HostsError, folder
from barista_tui.opening import Opening
from barista_tui.pixels import Answered, AskingParser, Pixels
from barista_tui.projects import Project, ProjectError
from barista_tui.screens.acting import ActingScreen
from barista_tui.screens.main import MainScreen
from barista_tui.store import Store
from barista_tui.target import Target
from barista_tui.typedahead import TypedAhead
from barista_tui.works import Works

SIZE_CHECK = 2.0
"""Seconds between two looks at the size of the terminal."""
HOSTS_CHECK = 2.0
"""Seconds between two looks whether the list of hosts was changed by another program."""
THREADS = 32
"""At most, for what blocks: looking up names, reading files."""
UPDATE_PAUSE, BUSY_PAUSE = 0.05, 0.25
"""Seconds in which changes gather to one update of the screen: after quiet, and while they never end. What a
person does is shown by what they do, and waits for neither.
"""


class BaristaApp(TypedAhead):
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
        project: Path | None = None,
        file: Path | None = None,
    ) -> None:
        super().__init__()
        self.target = target
        self.now = now
        self._update_due = False
        self._updated = 0.0
        self.store = Store(self._store_changed)
        self.works = Works(self._store_changed, lambda text: self.main.say(text, "error"))
        self.fleet = Fleet([target, *(others or ())], self.store)
        self.host_deeds = HostDeeds(self)
        self.carried: dict[str, asyncio.Task[None]] = {}
        """Copies under way, by what they are called; begun by :mod:`.carriage`."""
        self._all_hosts = others is not None
        self._connect = connect
        self._select = select
        self.project = project
        """The file that is kept up to date with what is shown, and how."""
        self._file_wanted = file
        self._hosts_mark = Hosts().path.stat().st_mtime_ns if Hosts().path.exists() else 0
        self.settings = self._settings() if connect else settings.Settings(hinted=True)
        self.keymap = keymap.load() if connect else keymap.Keymap()
        wanted, self._pixels_problem = pixels.setting() if connect else ("off", None)
        self.pixels = Pixels(wanted, os.environ, self._write)
        self.main = MainScreen(title or (project.stem if project else target.title))
        for each in theme.THEMES:
            self.register_theme(each)
        self._color_system = self.console._color_system
        self.color_range: theme.Colors = (
            "none" if self.no_color else "sixteen" if self.console.color_system == "standard" else "many"
        )
        self.look = ""
        self.wear(self.settings.theme if self.settings.theme in theme.LOOKS else "dark")

    def on_mount(self) -> None:
        if self._connect:
            self._show_remembered()
        moves = {name: keys or managerkeys.NO_KEY for name, keys in self.keymap.moves.items()}
        self.set_keymap({**moves, **managerkeys.textual_keymap(self.keymap.keys)})
        self.push_screen(self.main)
        for problem in (*self.keymap.problems, *filter(None, [self._pixels_problem])):
            self.store.noticed(Notice(time=self.now(), caller="Settings", kind="error", text=problem))
            self.main.say(problem, "warning")
        if self._select:
            self.main.want(self._select)
        if self._connect:
            # The first frame comes before the first byte to an agent.
            self.call_after_refresh(self._start_links)
            self.set_interval(HOSTS_CHECK, self._check_hosts)
        if not self.is_headless:
            self.set_interval(SIZE_CHECK, self._check_size)
            self.call_after_refresh(garbage.settle)
            self.set_timer(garbage.SETTLED, garbage.settle)

    def _show_remembered(self) -> None:
        for host in self.fleet:
            if known := cache.load(str(host.target)):
                self.store.remembered(host.name, known.sessions, known.time)

    def _check_size(self) -> None:
        """Follow a resize whose signal was lost, as happens to programs behind several terminals; leave when
        the terminal is gone and nobody has sent SIGHUP, rather than read its end for ever.
        """
        if not os.isatty(0):
            self.exit()
            return
        size = Size(*shutil.get_terminal_size())
        if size != self.size:
            self.post_message(events.Resize(size, size))

    def _start_links(self) -> None:
        # Names of dead hosts that are looked up slowly must not take the threads of the others.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "barista"))
        self.fleet.start()

    async def on_unmount(self) -> None:
        """Nothing of the links is left behind."""
        await leaving.end(self.carried)
        await self.fleet.close()

    def reload_hosts(self) -> None:
        """The list of hosts has changed: follow it; a project keeps its own hosts. Raises HostsError."""
        listed = Hosts().all()
        if self.project is not None:
            known = {entry.name: entry for entry in listed}
            self.arrange_hosts([known.get(entry.name, entry) for entry in self.host_entries()])
        elif self._all_hosts:
            self.arrange_hosts(listed)

    def host_entries(self) -> list[HostEntry]:
        """The hosts that are shown, but the local one."""
        return [host.target.host for host in self.fleet if host.target.host is not None]

    def arrange_hosts(self, entries: Sequence[HostEntry]) -> None:
        """Show these hosts in this order, beside the local one."""
        if list(entries) == self.host_entries():
            return
        # Of --server and --host the first one is no local one.
        first = [self.target] if self.target.host is None else []
        self.fleet.become([*first, *(Target(self.target.root, entry) for entry in entries)])
        self._show_remembered()
        if self.project is not None:
            self._save_project()

    def _check_hosts(self) -> None:
        """Follow what is done to the list of hosts outside, such as `barista host add`."""
        path = Hosts().path
        mark = path.stat().st_mtime_ns if path.exists() else 0
        if mark != self._hosts_mark:
            self._hosts_mark = mark
            try:
                self.reload_hosts()
            except HostsError as error:
                self.main.say(str(error), "error")

    def trust(self, name: str) -> None:
        """Accept the key that a host offered, and connect."""
        from barista_server.remote.hostkeys import HostKeyUnknown
        from barista_server.remote.ssh import own_way

        host = self.fleet[name]
        if isinstance(host.problem, HostKeyUnknown):
            try:
                own_way(folder()).known_hosts.accept(host.problem.offered)
            except OSError as error:
                self.main.say(f"The key of {name} was not accepted: {error}", "error")
            else:
                self.fleet.relink(name)

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
            quiet = time.monotonic() - self._updated > 2 * BUSY_PAUSE
            self.set_timer(UPDATE_PAUSE if quiet else BUSY_PAUSE, self._update)

    def _update(self) -> None:
        self._update_due = False
        self._updated = time.monotonic()
        if self.main.is_mounted:
            for screen in self.screen_stack:
                if isinstance(screen, ActingScreen):
                    screen.show_known()
            if self._file_wanted is not None and self.store.known.host(LOCAL).alive:
                file, self._file_wanted = self._file_wanted, None
                openfile.show(self, file)

    def remember(self, now: settings.Settings) -> None:
        """Keep how the person looks at things for the next start, when that has changed."""
        if now == self.settings:
            return
        self.settings = now
        if not self._connect:
            return
        if self.project is None:
            settings.save(now)
        else:
            self._save_project()

    # ---------------------------------------------------------------------------------- projects

    def _settings(self) -> settings.Settings:
        """The project's; of those that belong to the person, such as the theme, the person's."""
        own = settings.load()
        if self.project is None:
            return own
        try:
            view = projects.load(self.project).view
        except ProjectError:
            return own
        return structs.replace(view, theme=own.theme, hinted=own.hinted)

    def _save_project(self) -> None:
        assert self.project is not None
        entries = self.host_entries()
        root = None if self.target.root == default_root() else str(self.target.root)
        try:
            projects.save(self.project, Project(root=root, hosts=entries, view=self.settings))
        except OSError as error:
            self.main.say(f"The project was not saved: {error}", "error")

    def save_project(self, text: str) -> None:
        """Save what is shown as a project, which is open from then on."""
        path = projects.named(text)
        if path.exists() and path != self.project:
            self.main.say(f"{path} is there already: open it, or choose another name", "warning")
            return
        self.project = path
        self._save_project()
        if path.exists():
            projects.remember(path)
            self.main.heading = path.stem
            self.main.say(f"Saved as {path}; what you change from now on is kept there", "information")
        self.main.show_known()

    def open(self, opening: Opening) -> None:
        """Show something else: other hosts, another project, another session."""
        for name in self.fleet.names:
            self._remember_list(name)
        self.target, self.project, self._file_wanted = opening.target, opening.project, opening.file
        self._all_hosts = opening.others is not None and opening.project is None
        self.fleet.become([opening.target, *(opening.others or ())])
        self._show_remembered()
        self.settings = self._settings()
        self.main.heading = opening.project.stem if opening.project else opening.target.title
        looks.restore(self.main, self.settings)
        if opening.file is None and opening.select is None:
            projects.remember(opening.project)
        if opening.select:
            self.main.want(opening.select)
        self.main.show_known()

    # ---------------------------------------------------------------------------------- leaving

    def leave(self, sure: bool = False) -> None:
        """Quit, and say what goes on; what would not is told first."""
        if self.carried and not sure:
            leaving.ask(self, list(self.carried))
            return
        for name in self.fleet.names:
            self._remember_list(name)
        self.exit(message=leaving.words(list(self.store.known.sessions.values()), self.target))

    def wear(self, look: str) -> None:
        """One of the looks, as well as this terminal can show it."""
        self.look = look
        if self._color_system is not None:
            ansi = look.startswith("ansi")
            self.console._color_system = ColorSystem.STANDARD if ansi else self._color_system
        self.theme = theme.theme_name(look, self.color_range)

    def next_theme(self) -> None:
        """The next look, and what it is called."""
        looks = list(theme.LOOKS)
        look = looks[(looks.index(self.look) + 1) % len(looks)]
        self.wear(look)
        self.main.say(f"Theme: {theme.LOOKS[look]}", "information")

    def action_command_palette(self) -> None:
        """The palette of actions."""
        from barista_tui.palette import ActionPalette

        if not isinstance(self.screen, ActionPalette):
            self.push_screen(ActionPalette())

    def get_driver_class(self) -> type[Driver]:
        """The platform's driver, leaving no picture behind."""

        driver = super().get_driver_class()
        # The terminal's answers are no keys; Textual's drivers take their parser from their module.
        vars(sys.modules[driver.__module__])["XTermParser"] = AskingParser

        class LeavingDriver(driver):  # type: ignore[misc, valid-type]
            def stop_application_mode(self) -> None:
                # After a resize tmux keeps in the shell's window what stands above the cursor.
                self.write("\x1b[2J\x1b[999;1H")
                super().stop_application_mode()

        return LeavingDriver

    def _write(self, text: str) -> None:
        """To the terminal itself, between two frames."""
        if self._driver is not None:
            self._driver.write(text)
            self._driver.flush()

    def post_display_hook(self) -> None:
        self.pixels.paint()

    def on_answered(self, answer: Answered) -> None:
        """The terminal says what it can show."""
        from barista_tui.widgets.picture import Picture

        if self.pixels.heard(answer):
            for each in self.main.query("Picture"):
                each.post_message(Picture.Resized())

    async def action_quit(self) -> None:
        """Ctrl+Q and the palette leave the same way."""
        self.leave()


def run(opening: Opening) -> int:
    """Show the screen until the person leaves. Returns the exit code."""
    for name in ("COLUMNS", "LINES"):
        # Exported by somebody, they would be believed instead of the terminal, also after a resize.
        os.environ.pop(name, None)
    app = BaristaApp(
        opening.target,
        opening.title,
        opening.select,
        others=opening.others,
        project=opening.project,
        file=opening.file,
    )
    app.run()
    return app.return_code or 0
