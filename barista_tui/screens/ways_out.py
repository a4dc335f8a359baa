"""What a person who wants to change what was trained with can do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from barista_server.api.text import clean_name
from barista_tui.screens.confirm import Choice, ConfirmScreen

if TYPE_CHECKING:
    from barista_tui.screens.main import MainScreen


def offer(main: MainScreen, field: str, leave: Callable[[], object] | None = None) -> None:
    """Ask which way out is wanted of the selected session; ``leave`` closes what is open over it before."""
    session = main.session
    if session is None:
        return
    body = (
        f"{clean_name(session.name)} has been trained with it: what it has learned would not fit any more.",
        "",
        "Clone makes a session that can be changed: with the weights of a snapshot, or settings alone.",
        f"Reset moves its runs and snapshots to the trash; {main.context().key('undo', 'u')} in the list "
        "brings them back.",
    )
    choices = (
        Choice("", "Leave it as it is"),
        Choice("clone", "Clone …", "primary"),
        Choice("reset", "Reset", "warning"),
    )

    def decided(way: str | None) -> None:
        if way:
            if leave is not None:
                leave()
            main.action_do(way)

    main.app.push_screen(ConfirmScreen(f"{field} is frozen", body, choices), decided)
