"""The solver of the selected session: its properties and what they mean, the rate drawn, or the text."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from barista_server.api.link import CallFailed
from barista_server.api.messages import FileText, SessionInfo
from barista_tui import workers
from barista_tui.commands import failure_text
from barista_tui.formwork import Filing, FormWork
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.table import PaneSpec
from barista_tui.protolight import shown
from barista_tui.screens.prototxt import ProtoEditor, ask_where
from barista_tui.screens.ways_out import offer
from barista_tui.store import Key
from barista_tui.widgets.bar import Piece
from barista_tui.widgets.formview import FormView
from barista_tui.widgets.protoarea import ProtoArea
from barista_tui.widgets.rate import RateCurve

CHECK = 3.0
"""Seconds between looks at the file while somebody sees it."""
SIDE = 72
"""Columns from which the curve has room beside the fields."""


class SolverFacts(Struct, frozen=True):
    """What the pane's actions decide by."""

    form: bool = False
    text: bool = False
    undo: str = ""
    redo: str = ""


class SolverPane(Pane, can_focus=True):
    """The form with the curve beside it, or the text."""

    DEFAULT_CSS = """
    SolverPane #solver-empty { padding: 1 2; color: $dim; }
    SolverPane RateCurve { display: none; }
    SolverPane.-side RateCurve { display: block; width: 39%; }
    """

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.curve = RateCurve(id="rate")
        self.view = FormView(self.curve)
        self.area = ProtoArea(id="solver-text", read_only=True)
        self._empty = Static(Content(_why_none(None)), id="solver-empty")
        self.work = FormWork(self.view, self._worked)
        self.text: FileText | None = None
        self._raw = False
        self._key: Key | None = None
        self._mark: tuple[object, ...] = ()
        self._linked = False
        self._iteration = 0
        self._next_check = 0.0

    def compose(self) -> ComposeResult:
        yield self._empty
        yield self.view
        yield self.area

    def on_mount(self) -> None:
        self._arrange()
        self.set_interval(1.0, self._look_at_file)

    def on_resize(self) -> None:
        self.set_class(self.size.width >= SIDE, "-side")

    # ---------------------------------------------------------------------------------- what is shown

    def show(self, look: Look) -> None:
        session = look.session
        key = look.key if session is not None and session.kind != "log" else None
        self._linked = look.linked is not None
        mark = (key, look.linked, session and (session.state, session.problems, session.warnings))
        if key is not None and session is not None:
            self._iteration = session.iteration
            if self.work.form is not None and key == self._key:
                self.curve.show(self.work.form, self._iteration)
        if mark == self._mark:
            return
        self._mark = mark
        if key != self._key:
            self._key, self.work.form, self.text = key, None, None
            self.work.problems = ()
            self._empty.update(Content(_why_none(session)))
            self._arrange()
        if key is not None and session is not None and self._linked:
            self.fetch(partial(self._load, key, [*session.problems, *session.warnings]))

    async def _load(self, key: Key, problems: list[Any]) -> None:
        filing = Filing(self.app, key, "solver")
        self._next_check = time.monotonic() + CHECK
        try:
            text = await filing.text()
            self.text = text if key == self._key else self.text
            if key == self._key:
                await self.work.load(filing)
                self.work.know(problems)
        except CallFailed as error:
            if key == self._key:
                self.work.form, self.work.problems = None, error.failure.problems
                self._empty.update(Content(failure_text(error.failure)))
                self._worked()
                lines = [each.line for each in error.failure.problems if each.line is not None]
                self.area.go_to(lines[0] if lines else 1)
                # It was seen to keep the height of the shorter text otherwise.
                self.call_after_refresh(self._empty.refresh, layout=True)

    def _look_at_file(self) -> None:
        if self._key is not None and self._linked and self.shown and time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + CHECK
            self.fetch(partial(self._check, self._key), "check")

    async def _check(self, key: Key) -> None:
        """Ask for the form again where somebody else wrote the file."""
        text = await Filing(self.app, key, "solver").text()
        if key == self._key and (self.text is None or text.revision != self.text.revision):
            await self._load(key, list(self.work.problems))

    def _worked(self) -> None:
        """Something was loaded or edited."""
        form = self.work.form
        if form is not None:
            self.curve.show(form, self._iteration)
            if self.text is None or self.text.revision != form.revision:
                self.fetch(self._reread, "text")
        self._paint_text()
        self._arrange()
        self.post_message(self.HeadChanged())

    async def _reread(self) -> None:
        if self._key is not None:
            self.text = await Filing(self.app, self._key, "solver").text()
            self._paint_text()

    def _paint_text(self) -> None:
        if self.text is None:
            return
        text = shown(self.text.data) or self.text.data.decode("utf-8", "replace")
        if text != self.area.text:
            self.area.load_text(text)
        own = [each.line for each in self.work.problems if each.file == "solver.prototxt" and each.line]
        self.area.mark(own)

    def _arrange(self) -> None:
        """The text where it is wanted, or where no form can be made of it."""
        raw = self.text is not None and (self._raw or self.work.form is None)
        self._empty.display = self.work.form is None
        self.view.display = self.work.form is not None and not raw
        self.area.display = raw
        if self.has_focus and self.goal() is not self:
            self.goal().focus()  # It waited for the form.

    def goal(self) -> Widget:
        if self.area.display:
            return self.area
        return self.view.goal() if self.view.display else self

    def head(self) -> list[Piece]:
        form = self.work.form
        if form is None:
            return []
        frozen = f"{form.standing.frozen and 'frozen  '}"
        return [
            Piece(f"{frozen}{form.kind}  ", "dim"),
            Piece("text " if self._raw else "form ", "accent", "solver-text"),
        ]

    def facts(self) -> SolverFacts:
        form = self.work.form
        if form is None:
            return SolverFacts(text=self.text is not None)
        return SolverFacts(True, self._raw, form.standing.undo, form.standing.redo)

    def back(self) -> bool:
        if self.view.close():
            return True
        if self._raw:
            self.toggle_text()
            return True
        return False

    def find(self) -> bool:
        if not self.view.display:
            return False
        self.view.find()
        return True

    # ---------------------------------------------------------------------------------- actions

    @on(FormView.Wanted)
    def _wanted(self, message: FormView.Wanted) -> None:
        message.stop()
        self._do(self.work.apply(message.edits))

    @on(FormView.Frozen)
    def _frozen(self, message: FormView.Frozen) -> None:
        message.stop()
        offer(self.main, message.field)

    def _do(self, deed: Coroutine[Any, Any, bool]) -> None:
        """Not a fetch: a change that is asked for right after another must not replace it."""

        async def done() -> None:
            await deed

        workers.begin(self.main, partial(self.quietly, done), "edit")

    def edit(self) -> None:
        """Change the chosen field."""
        self.view.edit()

    def unset(self) -> None:
        """Leave it out."""
        self.view.unset()

    def step(self, steps: int) -> None:
        """Undo, or redo if negative."""
        self._do(self.work.step(steps))

    def toggle_text(self) -> None:
        """The form, or the text as it is written."""
        self._raw = not self._raw
        self._arrange()
        field = self.view.list.chosen
        if self._raw and field is not None and field.line is not None:
            self.area.go_to(field.line)
        self.goal().focus()
        self.post_message(self.HeadChanged())

    def open_editor(self) -> None:
        """The text in an editor."""
        if self._key is None:
            return
        field = self.view.list.chosen
        line = self.area.cursor_location[0] + 1 if self._raw else (field.line if field is not None else None)
        self.app.push_screen(ProtoEditor(self._key, "solver", line or 1), lambda _: self._reload())

    def _reload(self) -> None:
        if self._key is not None and self._linked:
            self.fetch(partial(self._load, self._key, list(self.work.problems)))

    def save(self) -> None:
        """Save the text as a file."""
        if self._key is not None:
            ask_where(self.main, Filing(self.app, self._key, "solver"))


def _why_none(session: SessionInfo | None) -> str:
    if session is None:
        return "No session is selected."
    if session.kind == "log":
        return "An imported log: its solver is not at hand."
    return "The solver is read …"
