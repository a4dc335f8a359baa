"""What is said and asked when a person leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from barista_server.api.messages import SessionInfo, State
from barista_tui.calling import command
from barista_tui.target import Target

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp


def words(sessions: Sequence[SessionInfo], target: Target) -> str | None:
    """Which trainings go on, and how they are seen again."""
    active = [each.name for each in sessions if each.kind != "log" and each.state is State.RUNNING]
    if not active:
        return None
    names = ", ".join(active[:5]) + (" …" if len(active) > 5 else "")
    goes = "1 training goes on" if len(active) == 1 else f"{len(active)} trainings go on"
    return f"{goes}: {names}. `{command(target)}` shows {'it' if len(active) == 1 else 'them'} again."


async def end(tasks: Mapping[str, asyncio.Task[None]]) -> None:
    """Cancel these and wait: a session that was being moved is left as it was."""
    ended = list(tasks.values())
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)


def ask(app: BaristaApp, underway: Sequence[str]) -> None:
    """What is copied through this program ends with it: that is told first."""
    from barista_tui.screens.confirm import Choice, ConfirmScreen

    body = [*underway, "", "What is there stays; the same again goes on from it. Trainings do not notice."]
    choices = (Choice("", "Stay"), Choice("leave", "Leave all the same", "warning"))

    def decided(choice: str | None) -> None:
        if choice == "leave":
            app.leave(sure=True)

    app.push_screen(ConfirmScreen("This would end with the program", body, choices), decided)
