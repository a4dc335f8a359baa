"""Screens that are left once.

Textual takes the topmost screen away, whichever asked for it: a second escape, a click as a screen is left,
or work that ends after its dialog was left would take away the one below.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen

T = TypeVar("T")


def is_left(screen: Screen[Any]) -> bool:
    """It was left already. If not, those that it has opened are taken away: it is the topmost."""
    if screen not in screen.app.screen_stack:
        return True
    while screen.app.screen is not screen:
        screen.app.pop_screen()
    return False


class Dialog(ModalScreen[T], Generic[T]):
    """A question or a form over the other screens; ``T`` is what it answers."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Leave it, once."""
        return AwaitComplete() if is_left(self) else super().dismiss(result)
