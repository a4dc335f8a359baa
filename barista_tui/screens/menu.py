"""Menus: the actions of the table by name, with their keys; what cannot be done is dim and says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Offset
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from barista_tui import format as fmt
from barista_tui.actions import ACTIONS, MENUS, Action, first_key, label, menu_of
from barista_tui.allowed import Context
from barista_tui.panes.table import SPECS
from barista_tui.screens.dialog import Dialog

GAP = 2
LONGEST_REASON = 36


LIST = ("filter", "sort", "group", "fold", "mark", "mark-all", "hide", "reveal")
"""Actions on the list of sessions, which stand in View while another pane has the focus."""
NOT_OF_ROW = ("context", "new", "import", "put")


def entries(name: str, context: Context) -> list[Action]:
    """The actions of a menu: in Pane those of the pane with the focus."""
    in_list, title = context.pane == "sessions", SPECS[context.pane].title
    if name == "Pane" and in_list:
        return [action for action in ACTIONS if action.id in LIST]
    found = [action for action in ACTIONS if menu_of(action) == name]
    if name == "Pane":
        return [action for action in found if action.group == title]
    return [action for action in found if not (in_list and action.id in LIST)]


class MenuScreen(Dialog[str | None]):
    """Answers the id of an action, or None. Left and right go to the next menu."""

    DEFAULT_CSS = """
    MenuScreen OptionList, MenuScreen OptionList:focus {
        position: absolute; width: auto; height: auto; border: round $accent; padding: 0 1;
        background: $surface; text-wrap: nowrap; text-overflow: ellipsis; scrollbar-size-vertical: 1;
    }
    """
    BINDINGS = [
        Binding("escape,q,f10", "dismiss", show=False),
        Binding("left,h", "turn(-1)", show=False),
        Binding("right,l", "turn(1)", show=False),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    def __init__(
        self,
        title: str,
        actions: Sequence[Action],
        context: Context,
        at: Offset,
        columns: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self.actions = list(actions)
        self._now = context
        self._at = at
        self._columns = columns or {}
        self._list = OptionList(id="menu")

    @classmethod
    def of(cls, name: str, context: Context, columns: Mapping[str, int]) -> MenuScreen:
        """One of the menus of the top bar, which stand at these columns."""
        return cls(name, entries(name, context), context, Offset(columns.get(name, 0), 1), columns)

    @classmethod
    def of_session(cls, context: Context, at: Offset) -> MenuScreen:
        """All that can be done to a row, at a place of the screen."""
        actions = [action for action in ACTIONS if action.group == "Session" and action.id not in NOT_OF_ROW]
        actions += [action for action in ACTIONS if action.id in ("link", "fold")]
        session = context.session
        return cls(f"{session.id} {session.name}" if session else context.host, actions, context, at)

    @property
    def _heading(self) -> str:
        return f"{self._title}: {SPECS[self._now.pane].title}" if self._title == "Pane" else self._title

    def compose(self) -> ComposeResult:
        self._list.border_title = self._heading
        yield self._list

    def on_mount(self) -> None:
        self._fill()

    def _fill(self) -> None:
        context = self._now
        rows = [
            (label(each, context), first_key(each, context), each.refused(context)) for each in self.actions
        ]
        names = max((cell_len(name) for name, *_ in rows), default=0) + GAP
        keys = max((cell_len(key) for _, key, _ in rows), default=0)
        self._list.clear_options()
        for action, (name, key, refused) in zip(self.actions, rows, strict=True):
            tone = "$dim" if refused else "$foreground"
            parts = [
                (fmt.fit(name, names), tone),
                (fmt.fit(key, keys, right=True), "$dim" if refused else "$accent"),
            ]
            if refused:
                words = fmt.fit(refused, min(cell_len(refused), LONGEST_REASON))
                parts.append((f"  {words}", "$dim italic"))
            self._list.add_option(Option(Content.assemble(*parts), id=action.id))
        first = next((place for place, (*_, refused) in enumerate(rows) if not refused), 0)
        self._list.highlighted = first if rows else None
        self._place(rows, names + keys)

    def _place(self, rows: Sequence[tuple[str, str, str | None]], width: int) -> None:
        """At its place, or as near as the screen's edges allow."""
        reasons = max(
            (min(cell_len(refused), LONGEST_REASON) + 2 for *_, refused in rows if refused), default=0
        )
        screen = self.app.size
        width = min(width + reasons + 4, screen.width)
        height = min(len(rows) + 2, screen.height)
        self._list.styles.width, self._list.styles.height = width, height
        x = max(0, min(self._at.x, screen.width - width))
        y = max(0, min(self._at.y, screen.height - height))
        self._list.styles.offset = (x, y)

    def action_turn(self, step: int) -> None:
        """The next menu of the bar; a row's menu has none beside it."""
        if self._title in MENUS:
            names: list[str] = list(MENUS)
            self._title = names[(names.index(self._title) + step) % len(names)]
            self.actions = entries(self._title, self._now)
            self._list.border_title = self._heading
            self._at = Offset(self._columns.get(self._title, 0), 1)
            self._fill()

    def action_move(self, step: int) -> None:
        """Up and down with letters, too."""
        (self._list.action_cursor_down if step > 0 else self._list.action_cursor_up)()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss(None)
