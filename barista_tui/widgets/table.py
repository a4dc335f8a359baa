"""Tables and lists of lines that are moved about in with the keys of the list of sessions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding
from textual.widgets import DataTable, OptionList

from barista_tui.keymap import move
from barista_tui.theme import ink, palette_of
from barista_tui.widgets.bar import color_of


class LineList(OptionList):
    """Lines as wide as the screen."""

    DEFAULT_CSS = """
    LineList {
        height: 1fr; border: none; padding: 0; background: $background; background-tint: $foreground 0%;
        text-wrap: nowrap; text-overflow: ellipsis; scrollbar-size-vertical: 1;
    }
    """
    BINDINGS = [
        move("move-up", "cursor_up"),
        move("move-down", "cursor_down"),
        move("first", "first"),
        move("last", "last"),
    ]


class Table(DataTable[Text]):
    """Cells are made by :meth:`cell`: text in a tone, never markup."""

    DEFAULT_CSS = """
    Table {
        height: 1fr; background: $background; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1;
        & > .datatable--header { background: $background; color: $dim; text-style: none; }
        & > .datatable--header-hover { background: $panel; color: $accent; }
        & > .datatable--header-cursor { background: $background; color: $accent; text-style: bold; }
        & > .datatable--fixed { background: $background; color: $foreground; }
        & > .datatable--fixed-cursor { background: $panel; color: $foreground; }
        & > .datatable--cursor { background: $panel; color: $foreground; text-style: bold; }
        & > .datatable--hover { background: $panel; }
    }
    """
    BINDINGS = [
        move("move-up", "cursor_up"),
        move("move-down", "cursor_down"),
        move("first", "scroll_top"),
        move("last", "scroll_bottom"),
        Binding("h", "cursor_left", show=False),
        Binding("l", "cursor_right", show=False),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What enter does is the screen's to say, where it can be another key; a click stays as it is."""
        return False if action == "select_cursor" else super().check_action(action, parameters)

    def fill(self, heads: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
        """Other columns and rows than before, each column as wide as what is in it."""
        self.clear(columns=True)
        for place, head in enumerate(heads):
            # Not by itself: it measures late, and what was filled anew meanwhile stays as wide as its head.
            width = max([cell_len(head), *(row[place].cell_len for row in rows)])
            self.add_column(self.cell(head, "dim"), width=width)
        for row in rows:
            self.add_row(*row)

    def cell(self, text: str, tone: str = "text", right: bool = False, bold: bool = False) -> Text:
        """``tone`` as in the bars."""
        style = ink(color_of(palette_of(self.app.theme), tone), bold=bold)
        return Text(text, style=style, justify="right" if right else "left", no_wrap=True, end="")
