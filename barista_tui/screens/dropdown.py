"""A list that drops down from a title: arrows or letters choose, enter takes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Offset
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from barista_tui import format as fmt
from barista_tui.screens.choose import Answer
from barista_tui.screens.dialog import Dialog


class DropDown(Dialog[str | None]):
    """Answers the id of what was chosen, or None. Typed letters leave what has them: in its name first,
    then in its note."""

    DEFAULT_CSS = """
    DropDown { align: left top; background: transparent; }
    DropDown OptionList, DropDown OptionList:focus {
        position: absolute; width: auto; height: auto; border: round $accent; padding: 0 1;
        background: $surface; text-wrap: nowrap; text-overflow: ellipsis; scrollbar-size-vertical: 1;
    }
    """
    BINDINGS = [Binding("escape", "back", show=False), Binding("backspace", "rub_out", show=False)]

    def __init__(self, title: str, answers: Sequence[Answer], first: str, at: Offset) -> None:
        super().__init__()
        self._title = title
        self._answers = list(answers)
        self._first = first
        self._at = at
        self._typed = ""
        self._list = OptionList(id="drop-down")

    def compose(self) -> ComposeResult:
        yield self._list

    def on_mount(self) -> None:
        self._fill()

    def _fill(self) -> None:
        words = self._typed.lower()
        some = [each for each in self._answers if words in each.name.lower()]
        some += [each for each in self._answers if each not in some and words in each.note.lower()]
        names = max((cell_len(each.name) for each in self._answers), default=0)
        notes = max((cell_len(each.note) for each in self._answers), default=0)
        self._list.border_title = f"{self._title}: {self._typed}" if self._typed else self._title
        self._list.set_options(
            Option(Content.assemble(fmt.fit(each.name, names), (f"  {each.note}", "$dim")), id=each.id)
            for each in some
        )
        ids = [each.id for each in some]
        first = ids.index(self._first) if self._first in ids and not words else 0
        self._list.highlighted = first if ids else None
        self._place(names + (notes + 2 if notes else 0), len(self._answers))

    def _place(self, width: int, rows: int) -> None:
        """Below the title, or above it where there is more room."""
        screen = self.app.size
        width = min(max(width + 5, cell_len(self._title) + 16), screen.width)
        below, above = screen.height - self._at.y - 1, self._at.y
        height = min(rows + 2, max(below, above))
        y = self._at.y + 1 if below >= height or below >= above else self._at.y - height
        self._list.styles.width, self._list.styles.height = width, height
        self._list.styles.offset = (max(0, min(self._at.x, screen.width - width)), max(0, y))

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.character is not None:
            event.stop()
            self._typed += event.character
            self._fill()

    def action_rub_out(self) -> None:
        """One letter less."""
        self._typed = self._typed[:-1]
        self._fill()

    def action_back(self) -> None:
        """First what was typed goes, then the list."""
        if self._typed:
            self._typed = ""
            self._fill()
        else:
            self.dismiss(None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss(None)
