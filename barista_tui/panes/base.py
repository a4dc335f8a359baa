"""What every pane has in common."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from textual.containers import Vertical
from textual.message import Message as TextualMessage
from textual.widget import Widget

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import Call, Message, SessionInfo
from barista_tui import workers
from barista_tui.commands import failure_text
from barista_tui.panes.table import PaneSpec
from barista_tui.store import HostKnown, Key, Known
from barista_tui.widgets.bar import Piece
from barista_tui.workers import Deed

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp
    from barista_tui.screens.main import MainScreen

R = TypeVar("R", bound=Message)


class Look(Struct, frozen=True):
    """What is looked at: the selected session, what is known of its host, and everything known."""

    key: Key | None
    """None in an empty list; with an empty session where a host is selected."""
    session: SessionInfo | None
    host: HostKnown
    known: Known

    @property
    def linked(self) -> float | None:
        """Since when its host is connected; what could not be had while it was not is asked for again."""
        return self.host.link.since if self.host.alive else None


class Pane(Vertical):
    """A tab of the main screen. Made when it is first shown, kept from then on.

    ``show`` is called, gathered, whenever something known or the selection changed while it can be seen,
    and once when it becomes visible: compare with what is shown, fetch and paint only what is different.
    """

    DEFAULT_CSS = "Pane { width: 1fr; height: 1fr; }"
    app: BaristaApp

    class HeadChanged(TextualMessage):
        """What :meth:`head` says, or what the footer depends on, is different now."""

        def can_replace(self, message: TextualMessage) -> bool:
            return isinstance(message, Pane.HeadChanged)

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(id=f"pane-{spec.name}")
        self.spec = spec

    # ---------------------------------------------------------------------------------- to be overridden

    def show(self, look: Look) -> None:
        """Bring the pane up to what is looked at."""
        raise NotImplementedError

    def head(self) -> list[Piece]:
        """What stands at the right end of the strip of tabs, most important last."""
        return []

    def goal(self) -> Widget:
        """What gets the focus when the pane is chosen."""
        return next((each for each in self.query("*") if each.can_focus), self)

    def back(self) -> bool:
        """esc: one layer back within the pane; False where there is none."""
        return False

    def find(self) -> bool:
        """``/``: search or filter what the pane shows; False where it cannot, then the list is filtered."""
        return False

    def facts(self) -> object:
        """What the pane's own actions decide by: ``Context.facts[name]``."""
        return None

    # ---------------------------------------------------------------------------------- to be used

    @property
    def main(self) -> MainScreen:
        """The screen it is on, or was when the program ends."""
        return self.app.main

    @property
    def shown(self) -> bool:
        """Somebody can see it."""
        return self.spec.name in self.main.shape.shown

    async def ask(self, key: Key, call: Call, result: type[R]) -> R:
        """The answer of the agent that has the session. Raises CallFailed, LinkError."""
        return await self.app.fleet.of(key).call(call, result)

    def fetch(self, deed: Deed, group: str = "") -> None:
        """Run what asks an agent; a later one of the group replaces it, begun or not. A lost link ends it
        silently: the header tells about that, and ``show`` comes again once it is back. A refusal is said.
        """
        name = f"{self.spec.name} {group}"
        workers.begin(self.main, partial(self.quietly, deed), name, newest=True)

    async def quietly(self, deed: Deed) -> None:
        """As in ``fetch``: a lost link ends it silently, a refusal is said."""
        try:
            await deed()
        except LinkError:
            return
        except CallFailed as error:
            self.main.say(f"{self.spec.title}: {failure_text(error.failure)}", "error")
