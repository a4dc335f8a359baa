"""The app: themes, the store, the host link, the main screen."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable

from textual import events
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size

from barista_server.api.messages import State
from barista_tui import cache, settings, theme
from barista_tui.calling import command
from barista_tui.host import Host
from barista_tui.screens.main import MainScreen
from barista_tui.store import Store
from barista_tui.target import Target

SIZE_CHECK = 2.0
"""Seconds between two looks at the size of the terminal."""
UPDATE_PAUSE = 0.05
"""Seconds in which changes gather to one update of the screen."""


class BaristaApp(App[None]):
    """One screen on one agent. ``connect=False`` shows what the store is given and asks no agent."""

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
    ) -> None:
        super().__init__()
        self.target = target
        self.now = now
        self.store = Store(self._store_changed)
        self.host = Host(target, self.store)
        self._connect = connect
        self._select = select
        self._update_due = False
        self.settings = settings.load() if connect else settings.Settings()
        self.main = MainScreen(title or target.title)
        for each in theme.THEMES:
            self.register_theme(each)
        self.color_range: theme.Colors = (
            "none" if self.no_color else "sixteen" if self.console.color_system == "standard" else "many"
        )
        self.theme = theme.theme_name(self.settings.dark, self.color_range)

    def on_mount(self) -> None:
        if self._connect:
            self.store.remembered(cache.load(str(self.target)))
        self.push_screen(self.main)
        if self._select:
            self.main.want(self._select)
        if self._connect:
            # The first frame comes before the first byte to the agent.
            self.call_after_refresh(self._start_link)
        if not self.is_headless:
            self.set_interval(SIZE_CHECK, self._check_size)

    def _check_size(self) -> None:
        """Follow a resize whose signal was lost, as happens to programs behind several terminals."""
        size = Size(*shutil.get_terminal_size())
        if size != self.size:
            self.post_message(events.Resize(size, size))

    def _start_link(self) -> None:
        self.run_worker(self.host.run(), name="host", group="host", exit_on_error=False)

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
        sessions = self.store.known.sessions
        if self._connect and self.store.known.epoch:
            cache.save(str(self.target), list(sessions.values()))
        ours = [session for session in sessions.values() if session.kind != "log"]
        active = [session.name for session in ours if session.state is State.RUNNING]
        words = None
        if active:
            names = ", ".join(active[:5]) + (" …" if len(active) > 5 else "")
            goes = "1 training goes on" if len(active) == 1 else f"{len(active)} trainings go on"
            again = command(self.target)
            words = f"{goes}: {names}. `{again}` shows {'it' if len(active) == 1 else 'them'} again."
        self.exit(message=words)

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


def run(target: Target, title: str = "", select: str | None = None) -> int:
    """Show the screen until the person leaves. Returns the exit code."""
    for name in ("COLUMNS", "LINES"):
        # Exported by somebody, they would be believed instead of the terminal, also after a resize.
        os.environ.pop(name, None)
    app = BaristaApp(target, title, select)
    app.run()
    return app.return_code or 0
