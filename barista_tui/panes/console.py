"""The console's pane: whose lines it shows, through which filters, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.geometry import Offset
from textual.widget import Widget

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import Lines, SessionInfo
from barista_tui import callers, consolefeeds, consolewords, feeds, workers
from barista_tui.commands import failure_text
from barista_tui.consolerows import TYPE_WORDS, TYPES, Row
from barista_tui.lines import Source, Window, logs_of, shown_log
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.consolefind import ConsoleSearch
from barista_tui.panes.consolegoing import ConsoleGoing
from barista_tui.panes.consolemerge import MergedFeed
from barista_tui.panes.table import PaneSpec
from barista_tui.screens.choose import Answer
from barista_tui.store import Key
from barista_tui.titles import no_log
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.console import Console
from barista_tui.widgets.findline import FindLine


class ConsoleFacts(Struct, frozen=True):
    """What the console's actions decide by."""

    log: bool
    """The log of the selected session is shown, not messages."""
    found: bool
    """Something is searched."""
    lines: bool
    """There are lines."""
    runs: int


class ConsolePane(Pane):
    """The log of the selected session, or what several callers say."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.console = Console(id="console")
        self.search = ConsoleSearch(self)
        self.going = ConsoleGoing(self)
        self.type = "all"
        self.caller = callers.LOG
        self.feed: MergedFeed | None = None
        self._bar = Bar(id="console-bar")
        self._runs: dict[Key, int] = {}
        """The runs that were chosen, where they are not the last."""
        self._mark: tuple[object, ...] = ()
        self._look: Look | None = None
        self._top: Row | None = None
        self._number = 0
        self._refusal = ""

    def compose(self) -> ComposeResult:
        yield self._bar
        yield self.console
        yield self.search.line

    # ---------------------------------------------------------------------------------- what is shown

    def show(self, look: Look) -> None:
        self._look = look
        if self.caller == callers.LOG:
            self.feed = None
            self._show_log(look)
        else:
            self.search.take_source(None)
            if self.feed is None or self.feed.wanted != (self.caller, self.type):
                self.feed = MergedFeed(self, self.caller, self.type)
                self._show_rows(anew=True)
            self.feed.update(look)
        self._show_bar()

    def _show_log(self, look: Look) -> None:
        source = self.chosen_log()
        self.search.take_source(source)
        if source is None:
            why = no_log(look.session) if look.session else ""
            self.console.empty = (why,) if why else ()
            self.console.show_rows((), anew=True)
            return
        none = f"No line is of the type {TYPE_WORDS[self.type]}: f shows the others."
        self.console.empty = (none if TYPES[self.type] else "No lines yet.",)
        if self.search.only and self.search.find is not None:
            source = replace(source, find=self.search.find)
            self.console.empty = ("No line has it: & shows the others.",)
        run = shown_log(look.session, source.run) if look.session is not None else None
        mark = (source, run and (run.lines, run.log_size), look.linked)
        if source != self.console.source:
            self.console.show_log(source)
        elif mark != self._mark:
            self.console.poke()
            self.search.look_on()
        self._mark = mark

    @property
    def session(self) -> SessionInfo | None:
        return self._look.session if self._look is not None else None

    def chosen_log(self) -> Source | None:
        """The run of the selected session that is chosen, whether it is shown or not."""
        look = self._look
        if look is None or look.session is None or look.key is None:
            return None
        run = shown_log(look.session, self._runs.get(look.key))
        return Source(look.key, run.number, TYPES[self.type]) if run is not None else None

    @property
    def rows(self) -> Sequence[Row]:
        """The messages that are here, whether they match or not."""
        return self.feed.merged.rows if self.feed is not None else ()

    def refill(self) -> None:
        """What is shown has changed by a filter, the search, or what came."""
        if self._look is None:
            return
        if self.feed is None:
            self._show_log(self._look)
        else:
            self._show_rows()
        self.search.show()

    def _show_rows(self, anew: bool = False) -> None:
        assert self.feed is not None
        rows, first = self.rows, self.feed.merged.first
        matches = self.console.matches
        if self.search.only and matches is not None:
            rows = [row for row in rows if matches.get(row.text) is not None]
            # The first of those before keeps its number.
            place = next((at for at, row in enumerate(rows) if row is self._top), 0)
            first = self._number - place
        self._top, self._number = (rows[0] if rows else None), first
        self.console.empty = (
            "No message has it: & shows the others."
            if self.search.only
            else "Nobody has said anything of this type.",
        )
        self.console.show_rows(rows, first, anew)

    def hits_changed(self) -> None:
        """More of a log has been looked through."""
        if self.search.only:
            self.console.poke()

    @on(Console.Wanted)
    def _lines_wanted(self, message: Console.Wanted) -> None:
        workers.begin(self.main, partial(self._fetch, message.source, message.window), "lines")

    async def _fetch(self, source: Source, window: Window) -> None:
        try:
            reply = await self.lines_of(source, window)
        except (CallFailed, LinkError, KeyError) as error:
            self.console.refused()
            self._refused(error)
            return
        self._refusal = ""
        self.console.take(source, reply.start, reply.total, reply.lines)

    def _refused(self, error: Exception) -> None:
        """Say once why lines cannot be had; of a lost link and of what was just deleted others tell."""
        if isinstance(error, CallFailed) and error.failure.code != "not-found":
            text = f"Console: {failure_text(error.failure)}"
            if text != self._refusal:
                self._refusal = text
                self.main.say(text, "error")

    async def lines_of(self, source: Source, window: Window) -> Lines:
        """Lines of a log, or of what was found in it. Raises CallFailed, LinkError, KeyError."""
        host = self.app.fleet.of(source.key)
        if source.find is None:
            return await feeds.lines(host, source, window)
        return await consolefeeds.found_lines(host, source, window, self.search.hits.places)

    @on(Console.Shown)
    def _shown_rows(self) -> None:
        self.search.mark_seen()
        if self.feed is not None and self.at_begin:
            self.feed.older()

    @property
    def at_begin(self) -> bool:
        """The first row is less than a page away."""
        return self.console.scroll_offset.y < self.console.size.height

    def any_host(self) -> Key | None:
        """Some host that can be asked."""
        hosts = self._look.known.hosts.values() if self._look is not None else ()
        return next((Key(host.name) for host in hosts if host.alive), None)

    # ---------------------------------------------------------------------------------- titles

    def head(self) -> list[Piece]:
        docked = self.main.shape.docked
        return [*(self._choices() if docked else ()), *consolewords.follow(self.console)]

    def _choices(self) -> list[Piece]:
        known = self._look.known if self._look is not None else None
        caller = callers.word(self.caller, known) if known is not None else ""
        session = self.session if self.caller == callers.LOG else None
        number = self._runs.get(self._look.key) if self._look is not None and self._look.key else None
        return consolewords.choices(self.console.total, self.type, caller, session, number)

    def _show_bar(self) -> None:
        self._bar.display = not self.main.shape.docked
        if self._bar.display:
            self._bar.show([Piece(" "), *self._choices()])

    def goal(self) -> Widget:
        return self.console

    def facts(self) -> object:
        session = self.session
        return ConsoleFacts(
            log=self.caller == callers.LOG,
            found=self.search.find is not None,
            lines=self.console.total > 0,
            runs=len(logs_of(session)) if session is not None else 0,
        )

    @on(Console.StatusChanged)
    def _status_changed(self) -> None:
        self._show_bar()
        self.search.show()
        self.post_message(self.HeadChanged())

    # ---------------------------------------------------------------------------------- choices

    def _drop_down(self, title: str, answers: Sequence[Answer], first: str, action: str) -> None:
        """Below its title; what is chosen is given to a method."""
        from barista_tui.screens.dropdown import DropDown

        bar = self._bar if self._bar.display else self.main.query_one("#dock-title", Bar)
        at = Offset(max(0, bar.region.x + bar.place_of(action) - 1), bar.region.y)

        def chosen(answer: str | None) -> None:
            if answer is not None:
                self._choose(action, answer)

        self.app.push_screen(DropDown(title, answers, first, at), chosen)

    def _choose(self, action: str, answer: str) -> None:
        if action == "types":
            self.show_type(answer)
        elif action == "callers":
            self.show_caller(answer)
        else:
            self.show_run(int(answer))

    def choose_type(self) -> None:
        """Text, errors, metrics, or all."""
        notes = consolewords.TYPE_NOTES
        answers = [Answer(name, word, notes[name]) for name, word in TYPE_WORDS.items()]
        self._drop_down("Type", answers, self.type, "types")

    def choose_caller(self) -> None:
        """Who speaks."""
        answers = [Answer(*each) for each in callers.choices(self.app.store.known)]
        self._drop_down("Caller", answers, self.caller, "callers")

    def choose_run(self) -> None:
        """One of the session's runs."""
        session, source = self.session, self.chosen_log()
        if session is not None and source is not None:
            answers = [
                Answer(str(run.number), *consolewords.run_words(run)) for run in reversed(logs_of(session))
            ]
            self._drop_down("Run", answers, str(source.run), "runs")

    def show_type(self, type_: str) -> None:
        """Filter by type."""
        self.type = type_
        self._changed()

    def show_caller(self, caller: str) -> None:
        """Filter by caller."""
        self.caller = caller
        self._changed()

    def next_caller(self) -> None:
        """The selected log, the messages without logs, all."""
        order = [callers.LOG, callers.MESSAGES, callers.ALL]
        place = order.index(self.caller) if self.caller in order else -1
        self.show_caller(order[(place + 1) % len(order)])

    def show_run(self, number: int) -> None:
        """The log of one run."""
        key, session = (self._look.key, self.session) if self._look is not None else (None, None)
        if key is None or session is None:
            return
        self._runs.pop(key, None)
        if number != logs_of(session)[-1].number:
            self._runs[key] = number
        self.caller = callers.LOG
        self._changed()

    def choose_last_run(self) -> None:
        """The last run again, or the whole of an imported log."""
        if self._look is not None and self._look.key is not None:
            self._runs.pop(self._look.key, None)

    def next_run(self, step: int) -> None:
        """The run before, or after."""
        session, source = self.session, self.chosen_log()
        numbers = [run.number for run in logs_of(session)] if session is not None else []
        if source is None or self.caller != callers.LOG:
            return
        place = numbers.index(source.run) + step
        if 0 <= place < len(numbers):
            self.show_run(numbers[place])
        else:
            self.main.say(f"That is the {'last' if step > 0 else 'first'} run", "information")

    def _changed(self) -> None:
        if self._look is not None:
            self.show(self._look)
        self.search.show()
        self.post_message(self.HeadChanged())

    # ---------------------------------------------------------------------------------- search

    def find(self) -> bool:
        self.search.open()
        return True

    def back(self) -> bool:
        return self.console.unselect() or self.search.close()

    @on(FindLine.Changed)
    def _find_changed(self, message: FindLine.Changed) -> None:
        self.search.changed(message.done)
        self.post_message(self.HeadChanged())

    def next_hit(self, step: int) -> None:
        """The next line that matches, below or above."""
        self.search.seek(step)

    def only_hits(self) -> None:
        """Hide what does not match."""
        self.search.turn_only()

    def switch_find(self, switch: str) -> None:
        """``regex`` or ``case``."""
        self.search.turn(switch)

    # ---------------------------------------------------------------------------------- lines

    def set_follow(self) -> None:
        """Go to the last line and stay there."""
        self.console.set_follow()

    def raw(self) -> None:
        """Log lines just as caffe wrote them, or without what glog puts before them."""
        self.console.set_raw(not self.console.raw)

    def row_here(self) -> Row | None:
        """The line of the cursor; while following the last one that can be seen."""
        console = self.console
        return console.row(console.cursor if console.cursor is not None else console.total - 1)

    def cause(self) -> None:
        """Go to the line that tells why the session failed."""
        self.going.cause()

    def show_line(self, key: Key, run: int, line: int) -> None:
        """Go to a line of a session's log, 0-based: as the plot does from a point of its curves."""
        self.going.show_line(key, run, line)

    def go_to(self) -> None:
        """Ask for a line or an iteration, and go there."""
        self.going.ask()

    def to_point(self) -> None:
        """Show the line's iteration in the plot."""
        self.going.to_point()

    def select(self) -> None:
        """Begin to select lines, or end it."""
        self.console.start_selection()

    def copy(self) -> None:
        """The selected lines, to the clipboard of the terminal."""
        self.going.copy()

    def save(self) -> None:
        """All lines, or those that match, to a file."""
        self.going.save()
