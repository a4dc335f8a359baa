"""What screens that command agents have in common: commands run beside, and what came of them is said."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from textual.await_complete import AwaitComplete
from textual.screen import Screen

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import Notice
from barista_tui import callers, workers
from barista_tui.callers import HOST_MANAGER, INPUT_MANAGER, OWN, SETTINGS
from barista_tui.commands import failure_text
from barista_tui.screens.dialog import is_left
from barista_tui.store import Known

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp


class ActingScreen(Screen[None]):
    """A screen from which agents are commanded."""

    app: BaristaApp
    caller = OWN
    """Who its messages are from."""

    def __init__(self) -> None:
        super().__init__()
        self._newest_notice: float | None = None
        self._said: dict[str, float] = {}
        """Messages that stand at the screen's edge, and until when."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Leave it, once."""
        return AwaitComplete() if is_left(self) else super().dismiss(result)

    def tell_errors(self, known: Known) -> None:
        """Errors of agents and hosts that came while this screen was there are said at once.

        Of a host that was not connected yet the lamp tells, and the notices.
        """
        if known.notices and self._newest_notice is not None:
            quiet = {
                OWN,
                INPUT_MANAGER,
                HOST_MANAGER,
                SETTINGS,
                *(f"Host {host.name}" for host in known.hosts.values() if not host.epoch),
            }
            for notice in known.notices:
                new = notice.time > self._newest_notice and notice.caller not in quiet
                if notice.kind == "error" and new:
                    step = callers.next_step(notice, known, self.app.main.context().key)
                    self._at_edge("\n".join(filter(None, [f"{notice.caller}: {notice.text}", step])), "error")
        if any(host.epoch for host in known.hosts.values()):
            self._newest_notice = max((notice.time for notice in known.notices), default=0.0)

    def show_known(self) -> None:
        """Something has changed in what the store knows, or in long work."""

    def acted(self) -> None:
        """A command has come to its end, good or bad."""

    def ask_agent(self, deed: Coroutine[Any, Any, object], what: str) -> None:
        """Run a command; when it fails, say what did not happen and why.

        A coroutine, as a command is never replaced: one that was never awaited would be a fault.
        """
        workers.begin(self, partial(self._guarded, deed, what), "commands")

    async def _guarded(self, deed: Coroutine[Any, Any, object], what: str) -> None:
        try:
            await deed
        except CallFailed as error:
            self.fail(f"{what}.\n{failure_text(error.failure)}")
        except LinkError as error:
            self.fail(f"{what}.\n{error}")
        self.acted()

    def fail(self, text: str) -> None:
        """Say an error."""
        self.say(text, "error")

    def say(self, text: str, severity: Literal["information", "warning", "error"]) -> None:
        """A message at the screen's edge; an error is kept in the console too, where it can be read again."""
        if self._at_edge(text, severity) and severity == "error":
            self.app.store.noticed(Notice(time=self.app.now(), caller=self.caller, kind="error", text=text))

    def _at_edge(self, text: str, severity: Literal["information", "warning", "error"]) -> bool:
        """At the screen's edge; False where it still stands there."""
        now = time.monotonic()
        self._said = {each: end for each, end in self._said.items() if end > now}
        if text in self._said:
            return False
        timeout = 8 if severity != "information" else 5
        self._said[text] = now + timeout
        self.notify(text, severity=severity, markup=False, timeout=timeout)
        return True
