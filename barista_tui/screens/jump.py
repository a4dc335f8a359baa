"""Jump mode: letters stand on what can be gone to; one key goes there."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.widgets import Static

from barista_tui.screens.dialog import Dialog

LETTERS = "asdfghjklqwertyuiop"


class JumpScreen(Dialog[str | None]):
    """Answers the name of the pane whose letter was pressed; None for any other key."""

    DEFAULT_CSS = """
    JumpScreen Static {
        position: absolute; width: auto; height: 1; padding: 0 1;
        background: $accent; color: $background; text-style: bold;
    }
    """

    def __init__(self, places: Mapping[str, Region]) -> None:
        super().__init__()
        self._places = dict(zip(LETTERS, places.items(), strict=False))

    def compose(self) -> ComposeResult:
        for letter, (_, region) in self._places.items():
            label = Static(Content(letter))
            label.styles.offset = (region.x + region.width // 2 - 1, region.y + region.height // 2)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        name, _ = self._places.get(event.character or "", (None, None))
        self.dismiss(name)

    def on_click(self) -> None:
        self.dismiss(None)
