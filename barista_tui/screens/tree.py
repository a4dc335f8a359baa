"""The family tree: which session was made from which, over all hosts."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.widgets import DataTable

from barista_tui import family, managerkeys
from barista_tui import format as fmt
from barista_tui.family import Relative
from barista_tui.screens.beside import TableScreen
from barista_tui.store import Known
from barista_tui.widgets.table import Table


class TreeScreen(TableScreen):
    """Begins at the selected session; enter goes to the one under the cursor."""

    KEYS = managerkeys.TREE
    TITLE_OF_KEYS = "Family tree"
    BINDINGS = managerkeys.bindings(managerkeys.TREE)

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[tuple[str, Relative]] = []
        self._everybody = True
        self._seen: object = None

    def begin(self) -> None:
        self.table.cursor_type = "row"
        self._show(self.app.store.known)
        selected = [place for place, (_, one) in enumerate(self._lines) if one.key == self.app.main.key]
        if selected:
            self.table.move_cursor(row=selected[0])
        self.set_interval(0.5, self.show_known)

    def show_known(self) -> None:
        """Paint it anew if somebody came, went, or is in another state."""
        known = self.app.store.known
        if self.is_mounted and known.hosts is not self._seen:
            self._seen = known.hosts
            self._show(known)

    def _show(self, known: Known) -> None:
        roots = family.trees(known.sessions)
        key = self.app.main.key
        if not self._everybody and key is not None:
            roots = family.of(roots, key)
        lines = family.drawn(roots)
        table, at = self.table, self.table.cursor_row
        several = len(known.hosts) > 1
        rows = [[*_texts(lead, one, several)] for lead, one in lines]
        before = [[*_texts(lead, one, several)] for lead, one in self._lines]
        if rows == before and self._lines and table.row_count:
            self._lines = lines
            return
        self._lines = lines
        heads = ("session", *(["host"] if several else []), "state", "iteration", "loss", "made with")
        pairs = zip(lines, rows, strict=True)
        table.fill(heads, [_cells(table, one, texts) for (_, one), texts in pairs])
        table.move_cursor(row=at)
        families = sum(len(root.children) > 0 for root in roots)
        of = fmt.plural(len(known.sessions), "session")
        self.entitle("Family tree", f"{of}, {families} with descendants")
        self.remark("" if families else "No session was made from another one yet: c makes one.")

    @property
    def _chosen(self) -> Relative | None:
        row = self.table.cursor_row
        return self._lines[row][1] if 0 <= row < len(self._lines) else None

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """Go to the session under the cursor."""
        one = self._chosen
        if one is None:
            return
        if one.key is None:
            what = f"It was at {one.place}" if one.place else "It was deleted; it may be in the trash"
            self.say(f"{one.title} is not there. {what}.", "warning")
            return
        main = self.app.main
        main.sessions.reveal(frozenset({one.key}))
        main.want(one.key.session, one.key.host)
        self.dismiss()

    def action_diff(self) -> None:
        """What tells it from the one it was made from."""
        from barista_tui.screens.diff import DiffScreen

        one = self._chosen
        if one is not None and one.key is not None and one.session is not None and one.session.kind != "log":
            parent = family.parent_of(one.key, self.app.store.known.sessions)
            self.app.push_screen(DiffScreen(parent, one.key))

    def action_everything(self) -> None:
        """All sessions, or the family of the selected one."""
        self._everybody = not self._everybody
        self._seen = None
        self._lines = []
        self.show_known()


def _texts(lead: str, one: Relative, several: bool) -> list[str]:
    session = one.session
    host = one.key.host if one.key is not None else ""
    numbers = [fmt.progress(session), fmt.value(session.loss)] if session is not None else ["", ""]
    return [f"{lead}{one.title}", *([host] if several else []), one.about, *numbers, one.taken]


def _cells(table: Table, one: Relative, texts: list[str]) -> list[Text]:
    tone = fmt.state_look(one.session).tone if one.session is not None else "dim"
    named = "text" if one.session is not None else "dim"
    tones = [named, *["dim"] * (len(texts) - 5), tone, "text", "text", "dim"]
    return [table.cell(text, each) for text, each in zip(texts, tones, strict=True)]
