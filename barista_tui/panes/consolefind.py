"""The console's search: agents look through logs, and tell what matches in the lines that are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.timer import Timer

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import MOST_PLACES, FindLines, FoundLines, MatchTexts, TextMatches
from barista_tui import workers
from barista_tui.finding import Find, Hits, Matches
from barista_tui.format import spaced
from barista_tui.lines import Source
from barista_tui.widgets.findline import FindLine

if TYPE_CHECKING:
    from barista_tui.panes.console import ConsolePane

BELOW, ABOVE = 1, -1
REST = 0.2
"""Seconds without a key after which what is typed is searched."""


class Goal(NamedTuple):
    """A hit to go to: the first one from ``start`` on, as FindLines counts; None: from the end."""

    step: int
    start: int | None
    around: bool = False
    """It is looked for from the other end on already."""


class ConsoleSearch:
    """Of one console. What is found is told by its line, the marks in the lines, and the cursor."""

    def __init__(self, pane: ConsolePane) -> None:
        self._pane = pane
        self.line = FindLine()
        self.find: Find | None = None
        self.hits = Hits()
        """In a log; of messages the rows are looked through here."""
        self.only = False
        """Lines without a match are hidden."""
        self.problem = ""
        self._source: Source | None = None
        self._origin: int | None = None
        """Where the cursor was before it was searched; None: it followed."""
        self._goal: Goal | None = None
        self._working = self._matching = False
        self._seek_soon = False
        """The first hit among messages is gone to once it is known."""
        self._stale = False
        """The log has grown since it was looked through."""
        self._rest: Timer | None = None

    # ---------------------------------------------------------------------------------- what is searched

    def open(self) -> None:
        """Type what to find."""
        self._origin = self._pane.console.cursor
        self.line.open()
        self.show()

    def close(self) -> bool:
        """Search no more; False where nothing was searched."""
        if not self.line.is_open:
            return False
        cancelled = self.line.input.has_focus
        self.line.close()
        self.only = False
        self._take(None)
        if cancelled and self._origin is None:
            self._pane.console.set_follow()
        return True

    def changed(self, done: bool) -> None:
        """Something else is typed. Regular expressions are searched once they are whole: at enter."""
        if self._rest is not None:
            self._rest.stop()
            self._rest = None
        find = self.line.find
        if done:
            self._pane.console.focus()
            if find is None:
                self.close()
                return
        if find != self.find and (done or find is None):
            self._begin()
        elif find != self.find and find is not None and not find.regex:
            self._rest = self._pane.set_timer(REST, self._begin)
        self.show()

    def _begin(self) -> None:
        self._take(self.line.find)
        if self.find is not None:
            self.seek(0)

    def turn(self, switch: str) -> None:
        """A switch of the line; what is typed is searched by it at once."""
        if not self.line.is_open:
            self.open()
        self.line.turn(switch)
        if self.line.find is not None:
            self._begin()
        self.show()

    def turn_only(self) -> None:
        """Hide lines without a match, or show them again; the cursor stays on its line."""
        row = self._pane.row_here()
        self.only = not self.only
        self._pane.refill()
        if row is not None and self.only and self._source is not None:
            self._pane.console.reveal(self.hits.index(row.number) or 0)
        elif row is not None and self._source is not None and self._pane.console.cursor is None:
            self._pane.going.reveal(row.number)
        self.show()

    def _take(self, find: Find | None) -> None:
        self.find, self.hits, self.problem, self._goal = find, Hits(), "", None
        self._pane.console.mark(Matches(find) if find is not None else None)
        self._pane.refill()
        self.look_on()
        self.show()

    # ---------------------------------------------------------------------------------- in a log

    def take_source(self, source: Source | None) -> None:
        """Another log is shown, through another filter, or none but messages."""
        if source != self._source:
            self._source, self.hits, self._goal = source, Hits(), None
            self.look_on()

    def look_on(self) -> None:
        """Look for what is wanted, and through what is not yet, as the log grows."""
        self._stale = True
        if self.find is not None and self._source is not None and not self.problem and not self._working:
            self._working = True
            workers.begin(self._pane.main, self._work, "find")

    async def _work(self) -> None:
        """One question at a time, so that the agent is never behind; what is not wanted any more is left."""
        try:
            while (source := self._source) and (find := self.find) and not self.problem:
                if self._goal is not None:
                    await self._seek(source, find, self._goal)
                elif not self.hits.full and (self._stale or not self.hits.complete):
                    await self._scan(source, find)
                else:
                    return
        except (LinkError, KeyError):
            pass  # The pane is shown anew once the link is back.
        finally:
            self._working = False
            self.show()

    async def _scan(self, source: Source, find: Find) -> None:
        start, self._stale = self.hits.scanned, False
        answer = await self._ask(source, find, start, BELOW, MOST_PLACES)
        if answer is not None and (source, find) == (self._source, self.find):
            self.hits.take(start, answer.places, answer.next, answer.total)
            self._stale = self._stale or answer.next is not None
            self._pane.hits_changed()
            self.show()

    async def _ask(
        self, source: Source, find: Find, start: int | None, step: int, limit: int
    ) -> FoundLines | None:
        """Raises LinkError, KeyError; a refusal is shown."""
        call = FindLines(
            session=source.key.session, run=source.run, pattern=find.pattern, regex=find.regex,
            case=find.case, start=start, direction="down" if step > 0 else "up", limit=limit,
            kinds=list(source.kinds), places_only=True,
        )  # fmt: skip
        try:
            return await self._pane.ask(source.key, call, FoundLines)
        except CallFailed as error:
            if find == self.find:
                self._refused(error)
            return None

    def _refused(self, error: CallFailed) -> None:
        failure = error.failure
        self.problem = ". ".join(filter(None, [failure.text, failure.hint]))
        self.show()

    # ---------------------------------------------------------------------------------- going to hits

    def seek(self, step: int) -> None:
        """The next hit below or above the cursor, from the other end on behind the last; 0: from where the
        search began.
        """
        if self.find is None or self.problem:
            return
        console = self._pane.console
        if self._source is None or self.only:
            self._seek_soon = step == 0
            if step or not self.only:
                self._seek_rows(step)
        else:
            at = self._origin if step == 0 else console.cursor
            upwards = step < 0 or (step == 0 and at is None)
            if at is not None and not upwards:
                at += step  # Of a search that begins, the line itself may be one.
            elif at is None:
                at = None if upwards else 0
            self._goal = Goal(ABOVE if upwards else BELOW, at)
            self.look_on()
            self.show()

    def _seek_rows(self, step: int) -> None:
        """Among rows that are here."""
        console = self._pane.console
        found = range(console.total) if self.only else self._rows_found()
        at = console.cursor if console.cursor is not None else console.total
        step = step or ABOVE
        later = [each for each in found if each > at] if step > 0 else [each for each in found if each < at]
        if found:
            self._seek_soon = False
            console.reveal((later or found)[0 if step > 0 else -1])
        self.show()

    def _rows_found(self) -> list[int]:
        console = self._pane.console
        matches = console.matches
        if matches is None:
            return []
        rows = ((index, console.row(index)) for index in range(console.total))
        return [index for index, row in rows if row is not None and matches.get(row.text) is not None]

    async def _seek(self, source: Source, find: Find, goal: Goal) -> None:
        """A step towards a hit; the goal is gone once it is there, or nowhere."""
        place, following = self._known(goal), None
        if place is None:
            answer = await self._ask(source, find, goal.start, goal.step, 1)
            if (source, find) != (self._source, self.find) or self._goal is not goal:
                return
            if answer is not None:
                place = answer.places[0] if answer.places else None
                following = answer.next
        if place is not None:
            self._goal = None
            self._pane.console.reveal(place)
        elif following is not None:
            self._goal = goal._replace(start=following)
        else:
            # From the other end on, once.
            self._goal = None if goal.around else Goal(goal.step, 0 if goal.step > 0 else None, True)
        self.show()

    def _known(self, goal: Goal) -> int | None:
        """The hit that is meant, where what was looked through tells."""
        hits = self.hits
        if goal.step > 0:
            return hits.beside((goal.start or 0) - 1, BELOW)
        if hits.complete or (goal.start is not None and goal.start <= hits.scanned):
            return hits.beside(hits.total if goal.start is None else goal.start, ABOVE)
        return None

    # ---------------------------------------------------------------------------------- marks

    def mark_seen(self) -> None:
        """Have it told what matches in the lines that can be seen; of messages in all that are here."""
        if not self._matching and self._unmarked():
            self._matching = True
            workers.begin(self._pane.main, self._mark, "match")

    def _unmarked(self) -> list[str]:
        """Lines that have matches, nobody here knows where; of messages nobody knows whether, either."""
        console = self._pane.console
        matches = console.matches
        if matches is None or self.problem:
            return []
        if self._source is None:
            return matches.wanted(row.text for row in self._pane.rows)
        found = [index for index in console.seen if self.only or self.hits.index(index) is not None]
        rows = [console.row(index) for index in found]
        return matches.wanted(row.text for row in rows if row is not None)

    async def _mark(self) -> None:
        """One question at a time, as with the search."""
        console = self._pane.console
        try:
            while (matches := console.matches) is not None and (texts := self._unmarked()):
                find = matches.find
                key = self._source.key if self._source is not None else self._pane.any_host()
                if key is None:
                    self.problem = "No agent is connected that could look for a regular expression."
                    return
                call = MatchTexts(pattern=find.pattern, texts=texts, regex=find.regex, case=find.case)
                try:
                    answer = await self._pane.ask(key, call, TextMatches)
                except CallFailed as error:
                    if find == self.find:
                        self._refused(error)
                    continue
                matches.take(texts, answer.spans)
                if console.matches is matches:
                    self._marked(matches)
        except (LinkError, KeyError):
            pass
        finally:
            self._matching = False
            self.show()

    def _marked(self, matches: Matches) -> None:
        console = self._pane.console
        console.mark(matches)
        if self._source is None:
            self._pane.refill()
            if self._seek_soon and self._rows_found():
                self._seek_rows(0)

    # ---------------------------------------------------------------------------------- what is told

    def show(self) -> None:
        """The line as things are."""
        if self.line.is_open:
            self.line.show(self._count(), self.problem, self.only)

    def _count(self) -> str:
        if self.problem:
            return "✖"
        if self.line.find != self.find:
            return "enter searches" if self.line.regex else "…"
        if self.find is None:
            return ""
        console = self._pane.console
        if self._source is None:
            found = list(range(console.total)) if self.only else self._rows_found()
            number = found.index(console.cursor) if console.cursor in found else None
            return _position(number, len(found), "")
        number = None
        if console.cursor is not None:
            number = console.cursor if self.only else self.hits.index(console.cursor)
        more = "" if self.hits.complete else f", {self.hits.share():.0%} searched"
        if not self.hits.places and (self._goal or more):
            return f"searching{more.removesuffix(' searched')}"
        return _position(number, len(self.hits.places), "+" if self.hits.full else more)


def _position(number: int | None, total: int, more: str) -> str:
    if not total:
        return f"not found{more}"
    of = f"{spaced(number + 1)} of " if number is not None else ""
    return f"{of}{spaced(total)}{more}"
