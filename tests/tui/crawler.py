"""Presses every key of every screen, as far as one leads to another, and comes back by escape."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget

from barista_tui.app import BaristaApp

FRONT = ("enter", "down", "space")
"""Keys that any widget may know what to do with, beside those that are bound; the first on each screen."""
ESCAPES = 5
"""So often escape may have to be pressed: an open list, a field, a form, the screen."""
LEFT_OUT = re.compile(r"do\('quit'\)|(app|screen)\..*|quit|help_quit|suspend_process|scroll_.*|page_.*")
"""Actions that are not tried: those that leave, and Textual's own."""


class Crawler:
    """``pressed``: (screen, widget, action or key) by the names of their classes."""

    def __init__(self, app: BaristaApp, pilot: Pilot[None], deep: bool = True) -> None:
        """``deep``: press the keys of screens that are opened, too."""
        self.app, self.pilot, self.deep = app, pilot, deep
        self.pressed: set[tuple[str, str, str]] = set()
        self.screens: set[str] = set()
        self.widgets: set[type[Widget] | None] = set()
        self.trail: list[str] = []

    async def press(self, key: str) -> None:
        """One key, and all that follows from it at once, painted."""
        self.trail.append(key)
        character = {"space": " ", "slash": "/"}.get(key) or (key if len(key) == 1 else None)
        self.app.post_message(events.Key(key, character))
        await self.pilot._wait_for_screen()
        await self.pilot.pause(0)
        mistakes = [each.message for each in self.app._notifications if "mistake of this" in each.message]
        assert not mistakes, f"{mistakes} after {self.trail[-8:]}"

    async def back_to(self, base: Screen[object]) -> None:
        """Escape leads back, where a key has not led back already."""
        for _ in range(ESCAPES):
            if self.app.screen is base or base not in self.app.screen_stack:
                return
            await self.press("escape")
        raise AssertionError(f"escape does not leave {self.app.screen} after {self.trail[-8:]}")

    def keys_of(self, focus: Widget | None) -> list[tuple[str, str]]:
        """What is bound where the focus is and was not tried yet: key, and the name it is remembered by."""
        screen = self.app.screen
        where = (type(screen).__name__, type(focus).__name__)
        found: list[tuple[str, str]] = []
        for key, active in screen.active_bindings.items():
            if not active.enabled or not type(active.node).__module__.startswith("barista_tui"):
                continue
            # What the screen itself binds is the same whatever has the focus.
            owner = type(active.node).__name__
            name = (where[0], owner, active.binding.action)
            if not LEFT_OUT.fullmatch(active.binding.action) and name not in self.pressed and key != "escape":
                self.pressed.add(name)
                found.append((key, active.binding.action))
        return found

    async def main(self, pane: str) -> None:
        """All that is bound while a pane has the focus, at each kind of widget, and what it opens."""
        main = self.app.main

        async def there(kind: type[Widget] | None = None) -> None:
            if main.active != pane:
                main.show_pane(pane)
                await self.pilot.pause(0)
            self.focus(kind)

        await there()
        await self.answered()
        own = [each for each in main.focus_chain if main.pane(pane) in each.ancestors_with_self]
        for kind in dict.fromkeys(map(type, own)):
            await there(kind)
            for key, action in self.keys_of(self.app.focused):
                await there(kind)
                await self._try(key, main, lambda key=key: self.press(key))  # type: ignore[misc]
                if action in ("do('link')", "do('hide')", "do('fold')"):
                    # Else there is not much left to look at.
                    await self.press("ctrl+r" if "hide" in action else key)

    async def answered(self) -> None:
        """What was asked of the agent has been answered."""
        for _ in range(100):
            await self.pilot.pause(0.01)
            if all(worker.is_finished for worker in self.app.workers):
                return

    async def _try(self, key: str, base: Screen[object], again: Callable[[], Awaitable[None]]) -> None:
        await self.press(key)
        if self.deep and self.app.screen is not base and base in self.app.screen_stack:
            await self.explore(again)
        await self.back_to(base)

    async def explore(self, opener: Callable[[], Awaitable[None]]) -> None:
        """Every key at every kind of widget of the screen on top, which ``opener`` opens again."""
        kind, below = type(self.app.screen), self.app.screen_stack[-2]
        if kind.__name__ in self.screens:
            return
        self.screens.add(kind.__name__)

        async def reopened() -> bool:
            if type(self.app.screen) is not kind:
                await self.back_to(below)
                await opener()
            return type(self.app.screen) is kind

        kinds: list[type[Widget] | None] = list(
            dict.fromkeys(type(each) for each in self.app.screen.focus_chain)
        )
        for widget in kinds or [None]:
            if not await reopened():
                return
            self.focus(widget)
            wanted = [key for key, _ in self.keys_of(self.app.focused)]
            front = FRONT if widget not in self.widgets else FRONT[:1]
            self.widgets.add(widget)
            for key in dict.fromkeys([*wanted, *front]):
                if not await reopened():
                    return
                self.focus(widget)
                base = self.app.screen

                async def again(key: str = key, widget: type[Widget] | None = widget) -> None:
                    if await reopened():
                        self.focus(widget)
                        await self.press(key)

                await self._try(key, base, again)

    def focus(self, kind: type[Widget] | None) -> None:
        """The first widget of a kind gets the focus, unless one has it."""
        if type(self.app.focused) is kind:
            return
        for each in self.app.screen.focus_chain:
            if type(each) is kind:
                self.app.screen.set_focus(each)
                return
