"""A session made from the selected one: which weights it starts from, its name, caffe and device."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, OptionList, Select, Static
from textual.widgets.option_list import Option

from barista_server.api.messages import (
    CaffeInfo,
    CaffeList,
    CloneSession,
    ListCaffes,
    SessionInfo,
    SessionReply,
    Snapshot,
    StartSession,
    State,
)
from barista_server.api.text import clean_name
from barista_tui import format as fmt
from barista_tui import workers
from barista_tui.commands import failure_text
from barista_tui.host import CallFailed, LinkError
from barista_tui.screens.device_pick import DevicePick
from barista_tui.screens.dialog import Dialog
from barista_tui.screens.new_session import on_host
from barista_tui.widgets.leadinglist import LeadingList

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp

NONE, OWN = "none", "own"
"""Rows of the list that are no snapshot: no weights, and those that the session itself starts from."""


class CloneScreen(Dialog[None]):
    """Clones the session that is selected, and selects the clone."""

    app: BaristaApp
    BINDINGS = [
        Binding("escape", "dismiss", show=False),
        Binding("ctrl+n", "clone(False)", show=False),
        Binding("ctrl+s", "clone(True)", show=False),
    ]

    def compose(self) -> ComposeResult:
        main = self.app.main
        session = main.session
        assert session is not None, "the action table lets it through for a session only"
        self._session, self._host = session, self.app.fleet[main.host_name]
        self._busy = False
        name = clean_name(session.name)
        with Vertical(classes="dialog wide", id="clone"):
            yield Static(Content(f"Clone {session.id} {name}{on_host(self._host)}"), classes="title")
            yield Static(Content(_about(session)), classes="line dim")
            yield LeadingList(*_choices(session), lead=self._to_name, id="origin")
            with Grid(id="fields"):
                yield Static(Content("name"), classes="label")
                yield Input(placeholder=f"{name}, numbered", id="name", compact=True)
                yield Static(Content("caffe"), classes="label")
                yield Select[str]([], id="caffe", prompt=session.caffe, compact=True)
                yield Static(Content("device"), classes="label")
                yield DevicePick(session.device)
            yield Static(id="error", classes="line")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Clone and start ^s", id="clone-start", compact=True)
                yield Button("Clone ^n", id="clone-only", variant="primary", compact=True)

    def on_mount(self) -> None:
        origin = self.query_one("#origin", OptionList)
        origin.highlighted = 0
        main = self.app.main
        # The one that is looked at, if one is.
        looked = str(main.pane("snapshots").facts()) if main.active == "snapshots" else ""
        for place, option in enumerate(origin.options):
            if option.id == looked:
                origin.highlighted = place
        origin.focus()
        workers.begin(self, self._ask_host)

    async def _ask_host(self) -> None:
        try:
            caffes = (await self._host.call(ListCaffes(), CaffeList)).caffes
            await self.query_one(DevicePick).ask(self._host)
        except (CallFailed, LinkError) as error:
            self._tell(str(error))
            return
        self.query_one("#caffe", Select).set_options(_usable(caffes))

    # ---------------------------------------------------------------------------------- cloning

    def _to_name(self) -> None:
        # Not focus(), which waits its turn behind keys that have come.
        self.set_focus(self.query_one("#name", Input))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_clone(False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "cancel":
            self.dismiss(None)
        else:
            self.action_clone(event.button.id == "clone-start")

    def action_clone(self, start: bool) -> None:
        """Clone it; what is wrong is shown here, where it is mended."""
        if not self._busy:
            self._busy = True
            workers.begin(self, partial(self._clone, self._call(), start))

    def _call(self) -> CloneSession:
        origin = self.query_one("#origin", OptionList)
        choice = origin.get_option_at_index(origin.highlighted or 0).id or NONE
        caffe = self.query_one("#caffe", Select).value
        return CloneSession(
            session=self._session.id,
            weights=choice != NONE,
            snapshot=int(choice) if choice.isdecimal() else None,
            name=self.query_one("#name", Input).value.strip(),
            caffe=caffe if isinstance(caffe, str) else "",
            device=self.query_one(DevicePick).value,
        )

    async def _clone(self, call: CloneSession, start: bool) -> None:
        self.query_one("#error", Static).update(Content.styled("It is being copied ...", "$dim"))
        try:
            made = (await self._host.call(call, SessionReply)).session
            if start and made.state is not State.INVALID:
                made = (await self._host.call(StartSession(session=made.id), SessionReply)).session
        except CallFailed as error:
            self._tell(failure_text(error.failure))
            return
        except LinkError as error:
            self._tell(str(error))
            return
        finally:
            self._busy = False
        self.app.store.changed_session(self._host.name, made)
        self.app.main.want(made.id, self._host.name)
        words = fmt.state_look(made).word
        self.app.main.say(f"{made.name} is made, a clone of {self._session.name}: {words}", "information")
        self.dismiss(None)

    def _tell(self, text: str) -> None:
        self.query_one("#error", Static).update(Content.styled(text, "$error"))


def _about(session: SessionInfo) -> str:
    if session.snapshots or session.weights:
        return "Same net and solver, from iteration 0, with the weights of:"
    return "It has no snapshot yet, so no weights to start from."


def _choices(session: SessionInfo) -> list[Option]:
    newest_first = sorted(session.snapshots, key=lambda one: (one.time, one.iteration), reverse=True)
    # Of an iteration that was reached twice the newer one is taken.
    shown = {one.iteration: one for one in reversed(newest_first)}
    found = [_snapshot(one) for one in newest_first if shown[one.iteration] is one]
    if not found and session.weights:
        words = Content.assemble("its own  ", (clean_name(session.weights), "$dim"))
        found = [Option(words, id=OWN)]
    plain = Content.assemble("no weights  ", ("net and solver alone", "$dim"))
    return [*found, Option(plain, id=NONE)]


def _snapshot(one: Snapshot) -> Option:
    taken = f"{fmt.date(one.time)} {fmt.clock(one.time)}"
    return Option(
        Content.assemble(
            f"iteration {one.iteration:>8}  ", (f"{taken}  {fmt.size(one.size):>8}  {one.model}", "$dim")
        ),
        id=str(one.iteration),
    )


def _usable(caffes: list[CaffeInfo]) -> list[tuple[str, str]]:
    usable = [each for each in caffes if each.problem is None]
    return [(f"{each.name}  {each.version}".strip(), each.name) for each in usable]
