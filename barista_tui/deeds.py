"""What the actions of the table do, carried out for the main screen."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from barista_server.api.messages import SessionInfo, State
from barista_tui import format as fmt
from barista_tui.commands import Commands, loss_of_force
from barista_tui.host import Host
from barista_tui.opening import Opening
from barista_tui.store import Key
from barista_tui.ui import Carry, Where

if TYPE_CHECKING:
    from barista_tui.screens.main import MainScreen


class Deeds:
    """Implements :class:`barista_tui.ui.Ui`. Whether a deed is allowed was asked before."""

    def __init__(self, screen: MainScreen, commands: Commands) -> None:
        self._screen = screen
        self._commands = commands

    @property
    def _session(self) -> SessionInfo:
        session = self._screen.session
        assert session is not None, "the action table lets no session action through without one"
        return session

    @property
    def _on(self) -> str:
        """The host that is meant: the selected session's, or the selected one itself."""
        return self._screen.host_name

    def _ask_agent(self, deed: Coroutine[Any, Any, None], what: str) -> None:
        self._screen.ask_agent(deed, what)

    # ---------------------------------------------------------------------------------- sessions

    def toggle_run(self) -> None:
        session = self._session
        if session.state is State.PAUSING:
            self.force_stop()
        else:
            self._ask_agent(
                self._commands.toggle(self._on, session), f"{session.name} was not started or paused"
            )

    def force_stop(self) -> None:
        from barista_tui.screens.confirm import Choice, ConfirmScreen

        session, on = self._session, self._on
        body = (
            session.busy or "Pause was asked for; caffe finishes its iteration and writes a snapshot.",
            loss_of_force(session),
        )
        choices = (
            Choice("", "Keep waiting", "default"),
            Choice("term", "Stop now (TERM)", "warning"),
            Choice("kill", "Kill (KILL)", "error"),
        )

        def decided(choice: str | None) -> None:
            what = f"{session.name} was not stopped"
            if choice == "term":
                self._ask_agent(self._commands.pause(on, session, "term"), what)
            elif choice == "kill":
                self._ask_agent(self._commands.pause(on, session, "kill"), what)

        self._screen.app.push_screen(ConfirmScreen(f"Force {session.name} to stop?", body, choices), decided)

    def snapshot(self) -> None:
        self._ask_agent(self._commands.snapshot(self._on, self._session), "No snapshot was taken")

    def toggle_queue(self) -> None:
        session = self._session
        what = f"{session.name} was not " + ("taken out of the queue" if session.queued else "queued")
        self._ask_agent(self._commands.toggle_queue(self._on, session), what)

    def move_in_queue(self, where: Where) -> None:
        session = self._session
        self._ask_agent(
            self._commands.move_in_queue(self._on, session, where), f"{session.name} was not moved"
        )

    def new_session(self) -> None:
        from barista_tui.screens.new_session import NewSessionScreen

        self._on_a_host("Make a session on which host?", NewSessionScreen)

    def import_log(self) -> None:
        from barista_tui.screens.import_log import ImportScreen

        self._on_a_host("Import a log that lies on which host?", ImportScreen)

    def _on_a_host(self, question: str, screen: Callable[[Host], Screen[SessionInfo | None]]) -> None:
        """Open a screen that makes a session on a host; ask which, where there are several."""
        app = self._screen.app

        def open_on(name: str | None) -> None:
            def made(session: SessionInfo | None) -> None:
                if session is not None and name is not None:
                    app.store.changed_session(name, session)
                    self._screen.want(session.id, name)

            if name is not None:
                app.push_screen(screen(app.fleet[name]), made)

        hosts = [host for host in app.store.known.hosts.values() if host.alive and host.role == "owner"]
        if len(hosts) <= 1:
            open_on(self._on if not hosts else hosts[0].name)
            return
        from barista_tui.screens.choose import Answer, ChooseScreen

        answers = [Answer(each.name, each.name, fmt.plural(len(each.sessions), "session")) for each in hosts]
        app.push_screen(ChooseScreen(question, answers, self._on), open_on)

    def open_details(self) -> None:
        from barista_tui.screens.details import DetailsScreen

        if self._screen.session is None:
            self._screen.sessions.fold()
            return
        session, on = self._session, self._on

        def chosen(snapshot: int | None) -> None:
            if snapshot is not None:
                self._ask_agent(
                    self._commands.start(on, session, snapshot), f"{session.name} was not started"
                )

        self._screen.app.push_screen(DetailsScreen(Key(on, session.id), session), chosen)

    def rename(self) -> None:
        from barista_tui.screens.prompt import PromptScreen

        session, on = self._session, self._on

        def answered(name: str | None) -> None:
            if name and name != session.name:
                self._ask_agent(self._commands.rename(on, session, name), f"{session.name} was not renamed")

        self._screen.app.push_screen(PromptScreen(f"Rename {session.name}", session.name), answered)

    def carry(self, how: Carry) -> None:
        from barista_tui.carrydeeds import CarryDeeds

        getattr(CarryDeeds(self._screen.app), how)()

    def delete(self) -> None:
        self._ask_agent(
            self._commands.delete(self._on, self._session), f"{self._session.name} was not deleted"
        )

    def reset(self) -> None:
        self._ask_agent(self._commands.reset(self._on, self._session), f"{self._session.name} was not reset")

    def undo(self) -> None:
        self._ask_agent(self._commands.undo(), "Nothing was brought back")

    # ---------------------------------------------------------------------------------- panes

    def find(self) -> None:
        if not self._screen.pane(self._screen.active).find():
            self._screen.show_pane("sessions")
            self._screen.sessions.find()

    def show_pane(self, pane: str) -> None:
        self._screen.show_pane(pane)

    def next_pane(self, step: int) -> None:
        self._screen.next_pane(step)

    def resize(self, list: float, dock: float) -> None:
        shares = self._screen.shares
        self._screen.resize_to(shares.list + list, shares.dock + dock)

    def jump(self) -> None:
        from barista_tui.screens.jump import JumpScreen

        def chosen(pane: str | None) -> None:
            if pane == "tray":
                self._screen.go_to_work()
            elif pane is not None:
                self._screen.show_pane(pane)

        self._screen.app.push_screen(JumpScreen(self._screen.places()), chosen)

    def go_to_work(self) -> None:
        self._screen.go_to_work()

    def tell(self, pane: str, method: str, *args: Any) -> None:
        getattr(self._screen.pane(pane), method)(*args)

    def open(self, screen: str) -> None:
        module, _, kind = screen.partition(":")
        self._screen.app.push_screen(getattr(importlib.import_module(module), kind)())

    # ---------------------------------------------------------------------------------- Barista

    def open_menu(self, name: str) -> None:
        from barista_tui.screens.menu import MenuScreen

        self._screen.app.push_screen(
            MenuScreen.of(name, self._screen.context(), self._screen.menu_columns()), self._chosen
        )

    def open_context(self) -> None:
        from barista_tui.screens.menu import MenuScreen

        at = self._screen.list.place_of_cursor()
        self._screen.app.push_screen(MenuScreen.of_session(self._screen.context(), at), self._chosen)

    def _chosen(self, action: str | None) -> None:
        if action is not None:
            self._screen.action_do(action)

    def open_project(self) -> None:
        from barista_tui.screens.projects import ProjectsScreen

        def chosen(opening: Opening | None) -> None:
            if opening is not None:
                self._screen.app.open(opening)

        self._screen.app.push_screen(ProjectsScreen(), chosen)

    def save_project(self) -> None:
        from barista_tui.screens.prompt import PromptScreen

        app = self._screen.app

        def answered(text: str | None) -> None:
            if text:
                app.save_project(text)

        app.push_screen(PromptScreen("Save as project", str(app.project or "")), answered)

    def next_theme(self) -> None:
        self._screen.app.next_theme()

    def reconnect(self) -> None:
        for host in self._screen.app.store.known.hosts.values():
            if host.link.state == "lost":
                self._screen.app.fleet.relink(host.name)

    def toggle_link(self) -> None:
        self._screen.app.toggle_link(self._on)

    def trust(self) -> None:
        from barista_tui.screens.confirm import Choice, ConfirmScreen

        app = self._screen.app
        waiting = [host for host in app.fleet if host.link_state.cause == "key-unknown"]
        # The selected host's first, then the others'.
        host = min(waiting, key=lambda each: each.name != self._on)
        body = (
            str(host.problem),
            "",
            "It is accepted once. If it changes later, nothing is sent to the host.",
        )
        choices = (Choice("", "Not now"), Choice("accept", "Accept the key", "warning"))

        def decided(choice: str | None) -> None:
            if choice == "accept":
                app.trust(host.name)

        app.push_screen(ConfirmScreen(f"Is this the key of {host.name}?", body, choices), decided)

    def show_help(self) -> None:
        from barista_tui.screens.help import HelpScreen

        self._screen.app.push_screen(HelpScreen(self._screen.context()))

    def show_palette(self) -> None:
        self._screen.app.action_command_palette()

    def back(self) -> None:
        self._screen.back()

    def leave(self) -> None:
        self._screen.app.leave()
