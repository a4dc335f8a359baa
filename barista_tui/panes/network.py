"""The net of the selected session as Caffe builds it: layers with their branches, shapes and memory."""

from __future__ import annotations

import time
from functools import partial

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    DescribeNet,
    GetFiles,
    NetReport,
    NetView,
    Problem,
    SessionFiles,
    SessionInfo,
)
from barista_tui import format as fmt
from barista_tui import netrows
from barista_tui.formwork import Filing
from barista_tui.netgraph import put_in
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.table import PaneSpec
from barista_tui.prototext import layer_block
from barista_tui.relayering import Deed, Relayering
from barista_tui.screens.layer_form import LayerForm
from barista_tui.screens.prototxt import ProtoEditor, ask_where
from barista_tui.store import Key
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.net import NetList

CHECK, RATE = 3.0, 4096
"""Seconds between looks at the files while somebody sees the net; longer for large ones: bytes per second."""
MOST_PROBLEMS = 3


class NetFacts(Struct, frozen=True):
    """What the pane's actions decide by: a net to look at, a file to edit."""

    net: bool = False
    file: bool = False


class NetworkPane(Pane, can_focus=True):
    """Heading, rows, totals, and the details of the chosen row."""

    DEFAULT_CSS = """
    NetworkPane #net-problems { height: auto; max-height: 6; padding: 0 1; color: $error; }
    NetworkPane #net-empty { padding: 1 2; color: $dim; }
    NetworkPane #net-totals { height: auto; max-height: 2; padding: 0 1; color: $dim; }
    NetworkPane #net-details {
        height: 30%; min-height: 4; padding: 0 1; scrollbar-size-vertical: 1; border-top: solid $faint;
    }
    NetworkPane #net-details.-open { height: 70%; }
    NetworkPane #net-details:focus { border-top: solid $accent; }
    NetworkPane #net-details Static { height: auto; }
    """

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.list = NetList(id="net")
        self.report: NetReport | None = None
        self._problems = Static(id="net-problems")
        self._empty = Static(id="net-empty")
        self._heading, self._totals = Bar(id="net-heading"), Static(id="net-totals")
        self._details, self._detail = VerticalScroll(id="net-details"), Static()
        self._search = Input(placeholder="name or type of a layer", id="net-search", compact=True)
        self._search.display = False
        self._files = SessionFiles(solver="", net="")
        self._folded: dict[Key, frozenset[str]] = {}
        self._phase = 0
        self._layer = ""
        """The chosen one; it stays so while a file cannot be read."""
        self._key: Key | None = None
        self._mark: tuple[object, ...] = ()
        self._linked = False
        self._next_check = 0.0

    def compose(self) -> ComposeResult:
        yield self._problems
        yield self._empty
        yield self._heading
        yield self.list
        yield self._search
        yield self._totals
        with self._details:
            yield self._detail

    def on_mount(self) -> None:
        self._paint()
        self.set_interval(1.0, self._look_at_files)

    # ---------------------------------------------------------------------------------- what is shown

    def show(self, look: Look) -> None:
        session = look.session
        key = look.key if session is not None and session.kind != "log" else None
        mark = (key, look.linked, session and (session.problems, session.warnings, session.max_iter))
        self._linked = look.linked is not None
        if mark == self._mark:
            return
        self._mark = mark
        if key != self._key:
            self._key, self.report, self._phase, self._layer = key, None, 0, ""
            self._empty.update(Content(_why_none(session)))
            self._put_failure([])
        if key is not None and self._linked:
            self.fetch(partial(self._load, key))

    async def _load(self, key: Key) -> None:
        """Ask for the net and the text it is written in; a net that cannot be built says why."""
        try:
            files = await self.ask(key, GetFiles(session=key.session), SessionFiles)
        except CallFailed:
            files = SessionFiles(solver="", net="")  # The description says what is wrong.
        try:
            report = await self.ask(key, DescribeNet(session=key.session), NetReport)
        except CallFailed as error:
            report, failure = None, error.failure
        if key != self._key:
            return
        self._files, self.report = files, report
        self._next_check = time.monotonic() + max(CHECK, len(files.net) / RATE)
        if report is None:
            self._empty.update(Content(failure.text))
            self._put_failure(failure.problems or [Problem(text=failure.text, hint=failure.hint)])
        else:
            self._put_failure([*report.problems, *report.warnings])

    def _look_at_files(self) -> None:
        if self._key is not None and self._linked and self.shown and time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + max(CHECK, len(self._files.net) / RATE)
            self.fetch(partial(self._check, self._key), "check")

    async def _check(self, key: Key) -> None:
        """Ask for the net again where its files are others now."""
        try:
            files = await self.ask(key, GetFiles(session=key.session), SessionFiles)
        except CallFailed:
            return
        if key == self._key and files != self._files:
            self.fetch(partial(self._load, key))

    def _put_failure(self, problems: list[Problem]) -> None:
        lines = [netrows.problem_words(problem) for problem in problems[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            lines.append(f"and {len(problems) - MOST_PROBLEMS} more: the details of the session show all")
        self._problems.update(Content("\n".join(lines)))
        self._problems.display = bool(lines)
        self._paint()

    @property
    def view(self) -> NetView | None:
        """The net that is shown."""
        nets = self.report.nets if self.report is not None else []
        return nets[self._phase % len(nets)] if nets else None

    @property
    def folded(self) -> frozenset[str]:
        """Beginnings of names that are folded."""
        return self._folded.get(self._key, frozenset()) if self._key is not None else frozenset()

    def _paint(self, layer: str = "") -> None:
        """The net as it is known and folded; the cursor on the layer of that name, or where it was."""
        view = self.view
        there = view is not None and bool(view.layers)
        for each in (self.list, self._heading, self._totals, self._details):
            each.display = there
        self._empty.display = not there
        if view is None or self.report is None or not there:
            self.list.show((), 0)
            return
        rows = netrows.net_rows(view, self.folded)
        layer = layer or self._layer
        place = next((at for at, each in enumerate(view.layers) if each.name.startswith(layer)), 0)
        exact = next((at for at, each in enumerate(view.layers) if each.name == layer), place)
        self.list.show(rows, netrows.row_of(rows, exact))
        if self.has_focus:
            self.list.focus()  # It waited for the net.
        self._totals.update(Content(netrows.totals(self.report, view)))
        self._mark_found()

    @on(NetList.Chosen)
    def _chosen(self) -> None:
        view, row = self.view, self.list.chosen
        self._heading.show([Piece(self.list.heading, "dim")])
        if view is not None and row is not None:
            self._layer = row.name
            self._detail.update(Content("\n".join(netrows.details(view, row, self._text_of(view, row)))))
            self._details.scroll_home(animate=False)
        self.post_message(self.HeadChanged())

    def _text_of(self, view: NetView, row: netrows.NetRow) -> str:
        layer = view.layers[row.node.layers[0]]
        if row.node.prefix or layer.line is None or view.file not in (None, "net.prototxt"):
            return ""
        text = self._files.net if view.file is not None else self._files.solver
        return layer_block(text, layer.line, layer.name)

    def head(self) -> list[Piece]:
        view = self.view
        if view is None or self.report is None:
            return []
        # Where there is no room for all, the last ones stay.
        found = [Piece(f"{len(self.list.found)} found ", "accent")] if self._search.value else []
        several = "net-phase" if len(self.report.nets) > 1 else ""
        return [
            Piece(f"{fmt.plural(sum(not put_in(each) for each in view.layers), 'layer')}  ", "dim"),
            Piece(f"{view.title} ", "accent", several),
            *found,
        ]

    def goal(self) -> Widget:
        return self.list if self.list.display else self

    def facts(self) -> NetFacts:
        return NetFacts(net=self.view is not None, file=self._key is not None)

    # ---------------------------------------------------------------------------------- search

    def find(self) -> bool:
        if self.view is None:
            return False
        self._search.display = True
        self._search.focus()
        return True

    def back(self) -> bool:
        if self._search.has_focus or self._search.value:
            self._search.value = ""
            self._search.display = False
            self._mark_found()
            self.list.focus()
            return True
        if self._details.has_class("-open"):
            self._open_details(False)
            return True
        return False

    @on(Input.Changed, "#net-search")
    def _search_changed(self) -> None:
        self._mark_found()
        if self.list.found and self.list.index not in self.list.found:
            self.next_found(1)
        self.post_message(self.HeadChanged())

    @on(Input.Submitted, "#net-search")
    def _search_done(self) -> None:
        self._search.display = bool(self._search.value)
        self.list.focus()

    def _mark_found(self) -> None:
        found = netrows.matching(self.view, self._search.value)
        rows = enumerate(self.list.rows)
        self.list.mark(frozenset(at for at, row in rows if not found.isdisjoint(row.node.layers)))

    def next_found(self, step: int) -> None:
        """The next row that matches, from the top again behind the last."""
        found = sorted(self.list.found)
        if not found:
            self.main.say("Nothing is found: / searches names and types of layers", "warning")
            return
        at = self.list.index
        later = [each for each in found if each > at] if step > 0 else [each for each in found if each < at]
        pick = (later or found)[0 if step > 0 else -1]
        self.list.go(pick)

    # ---------------------------------------------------------------------------------- actions

    def next_net(self) -> None:
        """The next of the train net and the test nets."""
        nets = self.report.nets if self.report is not None else []
        if len(nets) < 2:
            self.main.say("The solver has no other net: test_iter and test_interval make one", "warning")
            return
        self._phase = (self._phase + 1) % len(nets)
        self._paint()

    def open(self) -> None:
        """Unfold the row, or open the layer's form."""
        if self.list.chosen is not None and self.list.chosen.node.prefix:
            self.unfold()
        elif self._key is not None and (line := self._own_line()) is not None:
            self.app.push_screen(LayerForm(self._key, line), self.reload)

    def relayer(self, deed: Deed) -> None:
        """Put a layer behind the chosen one, double it, or take it out."""
        row = self.list.chosen
        if row is not None and row.node.prefix:
            self.main.say(f"{row.name} is several layers: enter unfolds them", "warning")
        elif row is not None and self._key is not None and (line := self._own_line()) is not None:
            Relayering(self.app, self._key, self.reload).begin(deed, line, row.name)

    def _own_line(self) -> int | None:
        """Where the chosen layer begins in net.prototxt; None if it is not there, which is said."""
        row, view = self.list.chosen, self.view
        if row is None or view is None:
            return None
        line = view.layers[row.node.layers[0]].line
        if view.file != "net.prototxt":
            where = view.file or "the solver's file"
            self.main.say(f"It has no form: it is written in {where}, not in net.prototxt", "warning")
            return None
        if line is None:
            self.main.say("It has no form: it is made of input fields, or by Caffe itself", "warning")
        return line

    def toggle_details(self) -> None:
        """Into the layer's details and back."""
        self._open_details(not self._details.has_class("-open"))

    def open_editor(self) -> None:
        """The net's text, where the layer is."""
        row, view = self.list.chosen, self.view
        line = view.layers[row.node.layers[0]].line if row is not None and view is not None else None
        if self._key is not None:
            self.app.push_screen(ProtoEditor(self._key, "net", line or 1), lambda _: self.reload())

    def step(self, steps: int) -> None:
        """Undo, or redo if negative, a change of the net."""
        if self._key is not None:
            self.main.ask_agent(self._step(self._key, steps), "Nothing was undone, or done again")

    async def _step(self, key: Key, steps: int) -> None:
        text = await Filing(self.app, key, "net").step(steps)
        self.main.say(f"net.prototxt: {text.what}", "information")
        self.reload()

    def save(self) -> None:
        """Save the net's text as a file."""
        if self._key is not None:
            ask_where(self.main, Filing(self.app, self._key, "net"))

    @on(NetList.Opened)
    def _opened(self) -> None:
        self.open()

    def _open_details(self, wide: bool) -> None:
        self._details.set_class(wide, "-open")
        (self._details if wide else self.list).focus()

    def fold(self) -> None:
        """Fold what begins like the chosen row."""
        view, row = self.view, self.list.chosen
        if view is None or row is None:
            return
        prefix = netrows.fold_of(view, row.node, self.folded)
        if prefix:
            self._fold(self.folded | {prefix}, row)

    def unfold(self) -> None:
        """Show the layers of the chosen row."""
        row = self.list.chosen
        if row is not None and row.node.prefix:
            self._fold(self.folded - {row.node.prefix}, row)

    def fold_all(self) -> None:
        """Fold all that begins alike."""
        if self.view is not None:
            self._fold(netrows.outermost(self.view), self.list.chosen)

    def unfold_all(self) -> None:
        """Show every layer."""
        self._fold(frozenset(), self.list.chosen)

    def _fold(self, folded: frozenset[str], row: netrows.NetRow | None) -> None:
        view = self.view
        if self._key is None or view is None:
            return
        self._folded[self._key] = folded
        self._paint(view.layers[row.node.layers[0]].name if row is not None else "")

    def reload(self, layer: str | None = None) -> None:
        """Ask for the net again, and go to the layer of that name."""
        self._layer = layer or self._layer
        if self._key is not None:
            self.fetch(partial(self._load, self._key))


def _why_none(session: SessionInfo | None) -> str:
    if session is None:
        return "No session is selected."
    if session.kind == "log":
        return "An imported log: its net is not at hand."
    return "The net is read …"
