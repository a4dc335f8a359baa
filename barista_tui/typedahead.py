"""Keys that are typed faster than the program follows."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from textual import events
from textual.app import App
from textual.widget import Widget


class TypedAhead(App[None]):
    """Textual sends a key to what has the focus, and does what it is bound to once it comes back from there.
    If the key before has moved the focus meanwhile, this one was meant for what has it now: it goes there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sent: WeakKeyDictionary[events.Key, Widget | None] = WeakKeyDictionary()
        """Who had the focus when the key came."""

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._sent[event] = self.focused
        await super().on_event(event)

    async def _on_key(self, event: events.Key) -> None:
        sent, focused = self._sent.pop(event, None), self.focused
        if sent is None or focused is None or sent is focused or not sent.is_attached:
            return
        if sent.screen is focused.screen:
            event.prevent_default()
            again = events.Key(event.key, event.character)
            self._sent[again] = focused
            focused._forward_event(again)
