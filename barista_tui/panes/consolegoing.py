"""From the console's lines elsewhere and back: lines by number or iteration, the plot, clipboard, files."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from barista_server.api.messages import FindLines, FoundLines
from barista_tui import callers, consolefeeds, feeds
from barista_tui import format as fmt
from barista_tui.allowed import cause_line
from barista_tui.consolerows import Row
from barista_tui.lines import Source, Window
from barista_tui.panes import consolesave
from barista_tui.screens.prompt import PromptScreen
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.panes.console import ConsolePane

ITERATION = re.compile(r"\bIteration (\d+)")
GOAL = re.compile(r"(?:(i|it|iteration)\s*)?(\d+)|(\d{1,3})\s*%", re.IGNORECASE)
"""``1200``, ``i 4000``, ``50 %``."""
MOST_COPIED = 2000
"""Lines at a time: terminals take some hundred kilobytes."""


class ConsoleGoing:
    """Of one console."""

    def __init__(self, pane: ConsolePane) -> None:
        self._pane = pane

    # ---------------------------------------------------------------------------------- to a line

    def reveal(self, place: int) -> None:
        """Go to a line of the log that is shown, unfiltered, by its place in it."""
        self._pane.console.reveal(place)

    def _plain_log(self) -> Source | None:
        """Show all lines of the selected session's log, none of them hidden."""
        pane = self._pane
        pane.search.only = False
        pane.type, pane.caller = "all", callers.LOG
        pane.show(pane.main.look)
        return pane.chosen_log()

    def cause(self) -> None:
        """The line that tells why the session failed: of its last run, or of the whole file."""
        session = self._pane.session
        line = cause_line(session) if session is not None else None
        if session is not None and line is not None:
            self._pane.choose_last_run()
            if self._plain_log() is not None:
                self.reveal(line - 1)

    def show_line(self, key: Key, run: int, line: int) -> None:
        """A line by its number within the run's log, or within the file that holds several runs."""
        pane, main = self._pane, self._pane.main
        if main.key != key:
            main.list.select(key)
        main.show_pane("console")
        pane.show(main.look)
        session = pane.session
        if session is None:
            return
        if session.log is None:
            pane.show_run(run)
        else:
            pane.choose_last_run()
        if self._plain_log() is not None:
            self.reveal(line)

    def ask(self) -> None:
        """``1200``: that line; ``i 4000``: that iteration; ``50 %``: that far down."""
        hint = "1200: that line; i 4000: that iteration; 50 %: so far down. enter goes there"
        self._pane.app.push_screen(PromptScreen("Go to", hint=hint), self._answered)

    def _answered(self, text: str | None) -> None:
        if not text:
            return
        pane, match = self._pane, GOAL.fullmatch(text.strip())
        if match is None:
            pane.main.say(f"'{text}' is no line, iteration (i 4000) or part (50 %)", "warning")
        elif match[1]:
            key, session = pane.main.key, pane.session
            if key is not None and session is not None:
                last = max(session.iteration, session.max_iter)
                pane.fetch(partial(self._to_iteration, key, int(match[2]), last), "go")
        elif match[3]:
            self.reveal(min(pane.console.total - 1, pane.console.total * int(match[3]) // 100))
        else:
            self._to_line(int(match[2]))

    def _to_line(self, number: int) -> None:
        """A line by its number as people count, 1 first."""
        console = self._pane.console
        if not 1 <= number <= console.total:
            self._pane.main.say(f"There are {fmt.spaced(console.total)} lines", "warning")
        elif console.total:
            self.reveal(number - 1)

    async def _to_iteration(self, key: Key, iteration: int, last: int) -> None:
        found = await consolefeeds.line_of_iteration(
            self._pane.app.fleet.of(key), key.session, iteration, last
        )
        if found is None:
            self._pane.main.say(f"No iteration from {iteration} on was displayed", "warning")
        else:
            self.show_line(key, *found)

    # ---------------------------------------------------------------------------------- to the plot

    def to_point(self) -> None:
        """The point of the iteration that the line, or one before it, tells of."""
        pane, row = self._pane, self._pane.row_here()
        source = pane.console.source
        key = source.key if source is not None else row.key if row is not None else None
        if row is None or key is None or row.number < 0:
            pane.main.say("This line is of no log: it has no point in the plot", "warning")
            return
        run = source.run if source is not None else row.run
        pane.fetch(partial(self._to_point, key, run, row), "go")

    async def _to_point(self, key: Key, run: int, row: Row) -> None:
        match = ITERATION.search(row.text)
        if match is None:
            place = await self._place(key, run, row.number)
            call = FindLines(
                session=key.session, run=run, pattern=r"\bIteration \d+", regex=True, case=True,
                start=place, direction="up", limit=1,
            )  # fmt: skip
            above = (await self._pane.ask(key, call, FoundLines)).lines
            match = ITERATION.search(above[0].text) if above else None
        if match is None:
            self._pane.main.say("No iteration was begun before this line", "warning")
            return
        main = self._pane.main
        if main.key != key:
            main.list.select(key)
        main.show_pane("plot")
        main.plot_pane.show_point(key, int(match[1]))

    async def _place(self, key: Key, run: int, number: int) -> int:
        """Of a line in a run, which of an imported log may begin within the file."""
        window = Window(0, 1)
        first = (await feeds.lines(self._pane.app.fleet.of(key), Source(key, run), window)).lines
        return number - (first[0].number if first else 0)

    # ---------------------------------------------------------------------------------- out of here

    def copy(self) -> None:
        """The selected lines, or that of the cursor, to the terminal's clipboard (OSC 52)."""
        pane, console = self._pane, self._pane.console
        chosen = console.selection or range(console.total - 1, console.total)
        if len(chosen) > MOST_COPIED:
            save = pane.main.context().key("console-save", "S")
            pane.main.say(
                f"{fmt.spaced(len(chosen))} lines are too many for a clipboard: {save} saves all as a file",
                "warning",
            )
            return
        rows = [console.row(index) for index in chosen]
        if any(row is None for row in rows):
            pane.main.say("Some of these lines are not here yet: scroll over them first", "warning")
            return
        text = "\n".join(row.whole for row in rows if row is not None)
        pane.app.copy_to_clipboard(text)
        console.unselect()
        pane.main.say(f"Copied: {fmt.plural(len(rows), 'line')}", "information")

    def save(self) -> None:
        """All lines that are shown here, or those that match while the others are hidden."""
        pane, session = self._pane, self._pane.session
        source, find = pane.console.source, pane.search
        if find.only and not find.hits.complete and source is not None:
            pane.main.say("It is still being searched: wait a moment, then save", "warning")
            return
        kind = "matching " if find.only else ""
        if source is None or session is None:
            consolesave.ask_where(pane, "barista-messages", f"the {kind}messages")
        else:
            run = f"-run-{source.run}" if source.run else ""
            consolesave.ask_where(pane, f"{session.name}{run}", f"the {kind}lines")
