"""The form of one layer, over the drawing of its net."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import DatasetInfo, DatasetList, ListDatasets
from barista_tui import assigning, managerkeys, workers
from barista_tui import format as fmt
from barista_tui.commands import failure_text
from barista_tui.formwork import Filing, FormWork
from barista_tui.screens.choose import Answer, ChooseScreen
from barista_tui.screens.dialog import Dialog
from barista_tui.screens.prototxt import ProtoEditor
from barista_tui.screens.text import TextScreen
from barista_tui.screens.ways_out import offer
from barista_tui.store import Key
from barista_tui.widgets.bar import Bar
from barista_tui.widgets.formview import FormView

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp


class LayerForm(Dialog[str | None]):
    """Answers the name of the layer that was shown last. ``line``: that its block begins on, if the number
    is not told.
    """

    app: BaristaApp
    DEFAULT_CSS = """
    LayerForm #layer-form { height: 96%; }
    LayerForm #layer-form > .title { margin-bottom: 0; }
    LayerForm Bar { background: $surface; }
    LayerForm FormList, LayerForm FormView { background: $surface; }
    """
    BINDINGS = managerkeys.bindings(managerkeys.FORM)
    AUTO_FOCUS = "FormList"

    def __init__(self, key: Key, line: int = 1, layer: int | None = None) -> None:
        super().__init__()
        self._key = key
        self._line, self._layer = line, layer
        self._title = Static(classes="title")
        self.view = FormView()
        self._footer = Bar()
        self.work = FormWork(self.view, self._worked)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="layer-form"):
            yield self._title
            yield self.view
            yield self._footer

    def on_mount(self) -> None:
        session = self.app.store.known.sessions.get(self._key)
        if session is not None:
            self.work.problems = [*session.problems, *session.warnings]
        self._run(self.work.load(Filing(self.app, self._key, "net"), self._layer, self._line))

    def _run(self, deed: Coroutine[Any, Any, object]) -> None:
        async def quietly() -> None:
            try:
                await deed
            except CallFailed as error:
                self.view.told(failure_text(error.failure).replace("\n", "  "), "$error")
            except LinkError as error:
                self.view.told(f"Not connected: {error}", "$error")

        workers.begin(self, quietly, "form")

    def _worked(self) -> None:
        form = self.work.form
        if form is None:
            return
        reads = f" · reads {assigning.source_of(form) or 'nothing yet'}" if assigning.reads_data(form) else ""
        self._title.update(Content(f"{form.title} · {form.kind}{assigning.phase_words(form)}{reads}"))
        without = () if assigning.reads_data(form) else ("form-assign",)
        self._footer.show(managerkeys.footer(managerkeys.FORM, self.app.keymap.keys, without))

    @on(FormView.Wanted)
    def _wanted(self, message: FormView.Wanted) -> None:
        self._run(self.work.apply(message.edits))

    @on(FormView.Frozen)
    def _frozen(self, message: FormView.Frozen) -> None:
        offer(self.app.main, message.field, self.dismiss)

    @on(Bar.Pressed)
    def _pressed(self, message: Bar.Pressed) -> None:
        self.call_later(self.run_action, message.action)

    def action_edit(self) -> None:
        self.view.edit()

    def action_unset(self) -> None:
        self.view.unset()

    def action_find(self) -> None:
        self.view.find()

    def action_step(self, steps: int) -> None:
        """Undo, or redo if negative."""
        if self.work.form is not None:
            self._run(self.work.step(steps))

    def action_layer(self, step: int) -> None:
        """The layer after this one in the file, or before it."""
        form, filing = self.work.form, self.work.filing
        if form is not None and filing is not None and form.layer is not None and form.layer + step >= 0:
            self._run(self.work.load(filing, form.layer + step))

    def action_relayer(self, deed: Literal["add", "copy", "remove"]) -> None:
        """Put a layer behind this one, double it, or take it out."""
        from barista_tui.relayering import ask_new, edit_of

        form, session = self.work.form, self._key.session
        if form is None:
            return
        if why := self.view.blocked():
            self.view.told(why, "$warning")
        elif deed == "add":
            ask_new(
                self.app,
                form,
                lambda kind, called: self._run(self.work.relayer(edit_of(form, session, deed, kind, called))),
            )
        else:
            self._run(self.work.relayer(edit_of(form, session, deed)))

    def action_text(self) -> None:
        """The text, where this layer is."""
        field = self.view.list.chosen
        rows = self.view.list.rows
        lines = [row.field.line for row in rows if row.field is not None and row.field.line is not None]
        line = field.line if field is not None and field.line is not None else min(lines, default=self._line)

        def edited(_: object) -> None:
            if self.work.form is not None and self.work.filing is not None:
                self._run(self.work.load(self.work.filing, self.work.form.layer))

        self.app.push_screen(ProtoEditor(self._key, "net", line), edited)

    def action_assign(self) -> None:
        """Choose a dataset of the host that the layer shall read."""
        form = self.work.form
        if form is None:
            return
        if not assigning.reads_data(form):
            self.view.told(f"A layer of type {form.kind} reads no dataset", "$warning")
        elif why := self.view.blocked():
            self.view.told(why, "$warning")
        else:
            self._run(self._assign())

    async def _assign(self) -> None:
        form = self.work.form
        assert form is not None
        host = self.app.fleet.of(self._key)
        datasets = (await host.call(ListDatasets(), DatasetList)).datasets
        fitting = [each for each in datasets if assigning.fits(form, each)]
        if not fitting:
            others = f" ({fmt.plural(len(datasets), 'dataset')} of other kinds there)" if datasets else ""
            text = f"No dataset on {host.target.title} fits a {form.kind} layer{others}: F2 adds one"
            self.view.told(text, "$warning")
            return
        now = assigning.source_of(form)
        answers = [Answer(each.id, each.name, _note(each)) for each in fitting]
        first = next((each.id for each in fitting if each.path == now), "")

        def answered(chosen: str | None) -> None:
            picked = next((each for each in fitting if each.id == chosen), None)
            if picked is not None:
                self._run(self.work.apply(assigning.edits(form, picked)))

        self.app.push_screen(
            ChooseScreen(f"Which dataset shall {form.title} read?", answers, first), answered
        )

    def action_keys(self) -> None:
        page = managerkeys.page(managerkeys.FORM, self.app.keymap.keys)
        self.app.push_screen(TextScreen("Keys", page))

    def action_leave(self) -> None:
        if not self.view.close():
            self.dismiss(self.work.form.title if self.work.form is not None else None)


def _note(dataset: DatasetInfo) -> str:
    samples = f"{dataset.facts.samples:,} samples, " if dataset.facts.samples is not None else ""
    gone = "" if dataset.alive else "files are gone, "
    return f"{gone}{samples}{dataset.path}"
