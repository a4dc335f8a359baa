"""The list's pane: sessions of all hosts, how they are filtered, sorted, grouped, and their small curves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from barista_server.api.link import CallFailed, LinkError
from barista_tui import feeds, rows, titles, workers
from barista_tui.listing import SessionRow, Wish, listed
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.table import PaneSpec
from barista_tui.store import Key, Known
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.session_list import ListModel, SessionList

SPARKS_AT_ONCE = 8


class SessionsPane(Pane):
    """Heading, list and, while there is a filter, its line."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.list = SessionList(id="sessions")
        self.filter_input = Input(
            placeholder="filter: words of id, name, state, host", id="filter", compact=True
        )
        self.filter_input.display = False
        self.wish = Wish()
        self.sparks: dict[Key, tuple[float, ...]] = {}
        self._heading = Bar(id="sessions-heading")
        self._count = Static(id="filter-count")
        self._spark_at: dict[Key, int] = {}
        self._wanted: tuple[str, str | None] | None = None

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self.list
        with Horizontal(id="filter-line"):
            yield self.filter_input
            yield self._count

    @property
    def rows_wanted(self) -> int:
        """Rows that it would fill, its heading included; 0 for an empty list."""
        count = len(self.list.model.rows)
        return count + 1 if count else 0

    def show(self, look: Look) -> None:
        self.show_known(look.known)

    def show_known(self, known: Known) -> None:
        """The list as it is now; the selection may move by it."""
        sessions, now = known.sessions, self.app.now()
        self.list.show(
            ListModel(
                rows=listed(known, self.wish, now, self.sparks),
                longest_name=max(map(rows.name_length, sessions.values()), default=12),
                longest_id=max((len(key.session) for key in sessions), default=2),
                longest_host=None if self.wish.grouped else max(map(len, known.hosts), default=6),
                several=len(known.hosts) > 1,
                sort=self.wish.sort,
                empty=titles.empty_list(known, self.wish.words, now),
            )
        )
        if self._wanted is not None:
            words, host = self._wanted
            for key, session in sessions.items():
                if words in (session.id, session.name) and host in (None, key.host):
                    self._wanted = None
                    self.list.select(key)
                    break
        self._heading.show(titles.columns(self.list.heading_cells()))
        self._count.display = bool(self.wish.words)
        self._count.update(Content(f"{len(self.list.model.sessions)} of {len(sessions)}"))

    def head(self) -> list[Piece]:
        return titles.sessions(
            len(self.list.model.sessions), len(self.main.app.store.known.sessions), self.wish.words
        )

    def goal(self) -> Widget:
        return self.list

    # ---------------------------------------------------------------------------------- how it is wanted

    def want(self, session: str, host: str | None = None) -> None:
        """Select a session by id or name, as soon as it is known."""
        self._wanted = (session, host)
        if self.is_mounted:
            self.main.show_known()

    def wish_for(self, wish: Wish) -> None:
        """Filter, sort, group or fold differently."""
        self.wish = wish
        self.main.show_known()

    def sort_by(self, order: str) -> None:
        """Sort by a column."""
        self.wish_for(replace(self.wish, sort=order))

    def sort_next(self) -> None:
        """Sort by the next column."""
        orders = rows.SORTS
        self.sort_by(orders[(orders.index(self.wish.sort) + 1) % len(orders)])

    def group(self) -> None:
        """Sessions below their hosts, or in one list."""
        self.wish_for(replace(self.wish, grouped=not self.wish.grouped))

    def fold(self) -> None:
        """Hide or show a host's sessions; the host is selected, since they may go."""
        host = self.main.host_name
        self.wish_for(replace(self.wish, folded=self.wish.folded ^ {host}))
        if host in self.wish.folded:
            self.list.select(Key(host))

    def hide(self) -> None:
        """Not to be shown here any more; nothing happens to it."""
        if (key := self.main.key) is not None and key.session:
            self.wish_for(replace(self.wish, hidden=self.wish.hidden | {key}))
            self.main.say("Hidden here; nothing happens to it. Show hidden brings it back.", "information")

    def reveal(self, keys: frozenset[Key] | None = None) -> None:
        """Show hidden sessions again: these, or all."""
        gone = self.wish.hidden if keys is None else keys
        self.wish_for(replace(self.wish, hidden=self.wish.hidden - gone))

    # ---------------------------------------------------------------------------------- marks

    @property
    def marked(self) -> tuple[Key, ...]:
        """Marked sessions that there are, in the order in which they were marked."""
        known = self.app.store.known.sessions
        return tuple(key for key in self.wish.marked if key in known)

    def mark(self) -> None:
        """Mark the selected session to be looked at with others, or unmark it; in the list go to the next."""
        if (key := self.main.key) is not None and key.session:
            self.toggle_mark(key)
            if self.list.has_focus:
                self.list.action_move(1)

    def toggle_mark(self, key: Key) -> None:
        """Mark a session, or unmark it."""
        rest = tuple(each for each in self.wish.marked if each != key)
        self.wish_for(replace(self.wish, marked=rest if key in self.wish.marked else (*rest, key)))

    def mark_all(self) -> None:
        """Take all marks away; where there are none, mark all that the list shows."""
        shown = tuple(row.key for row in self.list.model.rows if isinstance(row, SessionRow))
        self.wish_for(replace(self.wish, marked=() if self.marked else shown))

    # ---------------------------------------------------------------------------------- filter

    def find(self) -> bool:
        self.filter_input.display = True
        self.filter_input.focus()
        return True

    def back(self) -> bool:
        if not (self.filter_input.has_focus or self.wish.words):
            return False
        self.filter_input.value = ""
        self._close_filter()
        self.wish_for(replace(self.wish, words=""))
        return True

    @on(Input.Changed, "#filter")
    def _filter_changed(self, message: Input.Changed) -> None:
        self.wish_for(replace(self.wish, words=message.value.strip()))

    @on(Input.Submitted, "#filter")
    def _close_filter(self) -> None:
        self.list.focus()
        self.filter_input.display = bool(self.filter_input.value.strip())

    # ---------------------------------------------------------------------------------- small curves

    def fetch_sparks(self) -> None:
        """The small curves of the rows that are visible and have moved on."""
        width = self.list.columns.spark
        if not width or not self.shown:
            return
        known = self.app.store.known
        top = self.list.scroll_offset.y
        stale: dict[str, list[SessionRow]] = {}
        for row in self.list.model.rows[top : top + self.list.size.height]:
            if not isinstance(row, SessionRow) or not known.host(row.key.host).alive:
                continue
            if row.session.iteration and self._spark_at.get(row.key) != row.session.iteration:
                stale.setdefault(row.key.host, []).append(row)
        for host, some in stale.items():
            # A group for each host: a slow one holds up its own rows alone.
            fetch = partial(self._fetch_sparks, some[:SPARKS_AT_ONCE], width)
            workers.begin(self.main, fetch, f"sparks {host}", newest=True)

    async def _fetch_sparks(self, some: Sequence[SessionRow], width: int) -> None:
        try:
            for key, session in [(row.key, row.session) for row in some]:
                self.sparks[key] = await feeds.spark(self.app.fleet.of(key), key.session, width)
                self._spark_at[key] = session.iteration
        except (CallFailed, LinkError, KeyError):
            return
        self.main.show_known()
