"""Several sessions beside each other: what differs in their settings, and what they came to."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from rich.text import Text
from textual import on
from textual.widgets import DataTable

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import SessionInfo, Summary
from barista_tui import format as fmt
from barista_tui import managerkeys, workers
from barista_tui.compare import Column, Entry, as_csv, columns
from barista_tui.listing import SessionRow
from barista_tui.screens.beside import TableScreen
from barista_tui.store import Key
from barista_tui.together import summary

RENEW = 3.0
"""Seconds between two looks whether somebody has come further, and is asked again."""
SOON = 0.1
AT_ONCE = 4
"""Sessions of one host that are asked for at a time."""


class CompareScreen(TableScreen):
    """Follows the trainings while it is looked at."""

    KEYS = managerkeys.COMPARE
    TITLE_OF_KEYS = "Side by side"
    BINDINGS = managerkeys.bindings(managerkeys.COMPARE)

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[Key] = []
        self._summaries: dict[Key, Summary] = {}
        self._failed: dict[Key, str] = {}
        self._asking: set[Key] = set()
        """Those whose answer has not come yet: a slow host is not asked twice."""
        self._asked: dict[Key, object] = {}
        """How each stood when it was asked last."""
        self._everything = self._due = False
        self._took = 0.0
        """Seconds that filling the table took."""
        self._sort: tuple[str, bool] | None = None
        """Name of the column, and whether backwards; None: as they stand in the list."""
        self._entries: list[Entry] = []
        self._order: list[Key] = []
        self._columns: list[Column] = []

    def begin(self) -> None:
        self.table.fixed_columns = 1
        self.action_reload()
        self.set_interval(RENEW, self._renew)

    # ---------------------------------------------------------------------------------- what is told of them

    def action_reload(self) -> None:
        """Ask all of them again, hosts beside each other."""
        self._keys = self._wanted()
        self._asked.clear()
        self._failed.clear()
        self._show()
        self._renew()

    def _wanted(self) -> list[Key]:
        """The marked ones; of one alone it and the selected one; else all that the list shows."""
        main = self.app.main
        marked = list(main.sessions.marked)
        if len(marked) == 1 and main.session is not None and main.key is not None:
            marked = list(dict.fromkeys([*marked, main.key]))
        shown = [row.key for row in main.list.model.rows if isinstance(row, SessionRow)]
        return marked if len(marked) > 1 else shown

    def _renew(self) -> None:
        """Ask those that have come further since."""
        if not self._keys:
            # They were not known yet, or the list shows none.
            if self._wanted():
                self.action_reload()
            return
        known = self.app.store.known.sessions
        free = [key for key in self._keys if key in known and key not in self._asking]
        stale = [key for key in free if self._asked.get(key) != _stand(known[key])]
        for host in dict.fromkeys(key.host for key in stale):
            mine = [key for key in stale if key.host == host]
            for start in range(min(AT_ONCE, len(mine))):
                self._asking.update(some := mine[start::AT_ONCE])
                workers.begin(self, partial(self._ask, some), "compare")

    async def _ask(self, keys: list[Key]) -> None:
        for key in keys:
            try:
                session = self.app.store.known.sessions[key]
                self._summaries[key] = await summary(self.app.fleet.of(key), session)
            except (CallFailed, LinkError) as error:
                self._failed[key] = str(error)
            except KeyError:
                self._failed[key] = "it is not there any more"
            else:
                self._failed.pop(key, None)
                self._asked[key] = _stand(session)
            finally:
                self._asking.discard(key)
            self._show_soon()

    def _show_soon(self) -> None:
        """Many answers come at once."""
        if not self._due:
            self._due = True
            # Of hundreds of sessions the table takes its time, too.
            self.set_timer(max(SOON, 4 * self._took), self._show)

    def _show(self) -> None:
        """Fill the table; the cursor stays with its session and its column."""
        self._due = False
        begun = time.perf_counter()
        known, table = self.app.store.known, self.table
        several = len({key.host for key in self._keys}) > 1
        there = [key for key in self._keys if key in known.sessions]
        entries = [
            Entry(known.sessions[key], key.host if several else "", self._summaries.get(key)) for key in there
        ]
        places = self._places(entries)
        at = self._at()
        self._entries, self._order = [entries[place] for place in places], [there[place] for place in places]
        self._columns = columns(self._entries, self._everything)
        heads = ["session", *map(self._head, self._columns)]
        scroll = table.scroll_offset
        table.fill(heads, self._cells())
        self._go_to(*at)
        table.scroll_to(*scroll, animate=False, force=True)
        self._tell()
        self._took = time.perf_counter() - begun

    def _cells(self) -> list[list[Text]]:
        """A row for each session."""
        table = self.table
        rows = [[table.cell(entry.title, bold=True)] for entry in self._entries]
        for column in self._columns:
            winners = column.winners
            for place, text in enumerate(column.texts):
                best = place in winners
                tone = "running" if best else "text" if column.group == "result" else "dim"
                rows[place].append(table.cell(f"{text} *" if best else text, tone, column.numeric, best))
        return rows

    def _places(self, entries: list[Entry]) -> list[int]:
        """In which order they stand."""
        if self._sort is not None:
            name, backwards = self._sort
            for column in columns(entries, self._everything):
                if column.name == name:
                    return column.order(backwards)
        return list(range(len(entries)))

    def _head(self, column: Column) -> str:
        if self._sort is None or column.name != self._sort[0]:
            return column.name
        return f"{column.name} {'▾' if self._sort[1] else '▴'}"

    def _tell(self) -> None:
        asked = len(self._summaries) + len(self._failed)
        of = f"{asked} of {len(self._keys)} read" if asked < len(self._keys) else ""
        what = "all settings" if self._everything else "settings that differ"
        facts = filter(None, [fmt.plural(len(self._keys), "session"), what, of])
        self.entitle("Side by side", ", ".join(facts))
        told = [(entry.title, entry.summary.problem) for entry in self._entries if entry.summary]
        problems = [f"{title}: {problem}" for title, problem in told if problem]
        problems += [f"{key.host}:{key.session}: {why}" for key, why in self._failed.items()]
        if not self._keys:
            mark = self.app.main.context().key("mark", "t")
            problems = [f"The list shows no session: go back, take its filter away or mark some with {mark}."]
        self.remark("\n".join(problems[:3]), "$warning")

    # ---------------------------------------------------------------------------------- the cursor

    def _at(self) -> tuple[Key | None, str]:
        row, column = self.table.cursor_coordinate
        key = self._order[row] if 0 <= row < len(self._order) else None
        name = self._columns[column - 1].name if 0 < column <= len(self._columns) else ""
        return key, name

    def _go_to(self, key: Key | None, name: str) -> None:
        names = ["", *(column.name for column in self._columns)]
        row = self._order.index(key) if key in self._order else 0
        self.table.move_cursor(row=row, column=names.index(name) if name in names else 0)

    # ---------------------------------------------------------------------------------- deeds

    def action_everything(self) -> None:
        """All settings, or those that are not the same for all."""
        self._everything = not self._everything
        self._show()

    def action_sort(self) -> None:
        """By the column of the cursor; then backwards; by the first one: as in the list."""
        self._sort_by(self._at()[1])

    @on(DataTable.HeaderSelected)
    def _head_clicked(self, message: DataTable.HeaderSelected) -> None:
        at = message.column_index
        self._sort_by(self._columns[at - 1].name if at else "")

    def _sort_by(self, name: str) -> None:
        if not name:
            self._sort = None
        elif self._sort is not None and self._sort[0] == name:
            self._sort = (name, not self._sort[1])
        else:
            best = next(column.best for column in self._columns if column.name == name)
            # The best ones first.
            self._sort = (name, best == "high")
        self._show()

    def action_diff(self) -> None:
        """What tells the session under the cursor from the first one."""
        from barista_tui.screens.diff import DiffScreen

        key, known = self._at()[0], self.app.store.known.sessions
        others = [one for one in self._order if one != key and known[one].kind == "session"]
        if key is None or known[key].kind == "log" or not others:
            self.say("A diff needs two sessions with net and solver.", "warning")
            return
        self.app.push_screen(DiffScreen(others[0], key))

    @on(DataTable.CellSelected)
    def action_open(self) -> None:
        """Go to the session under the cursor."""
        if (key := self._at()[0]) is not None:
            main = self.app.main
            main.sessions.reveal(frozenset({key}))
            main.want(key.session, key.host)
            self.dismiss()

    def action_save(self) -> None:
        """Write what is shown as CSV."""
        from barista_tui.screens.prompt import PromptScreen

        def answered(text: str | None) -> None:
            if text is None:
                return
            path = Path(text).expanduser()
            try:
                path.write_text(as_csv(self._entries, self._columns), "utf-8", newline="")
            except OSError as error:
                self.say(f"{path} was not written: {error.strerror}", "error")
                return
            written = fmt.plural(len(self._entries), "session")
            self.say(f"{written} written to {path.absolute()}", "information")

        self.app.push_screen(PromptScreen("Write the table as CSV", "compare.csv"), answered)


def _stand(session: SessionInfo) -> object:
    """Changes when it is worth being asked again."""
    return session.state, session.iteration, len(session.runs)
