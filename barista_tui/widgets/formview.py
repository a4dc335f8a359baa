"""A form to look at and to fill in: fields, what the chosen one means, a line to type in."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from barista_server.api.messages import FieldEdit, Form, FormField, Problem
from barista_tui import formrows
from barista_tui.screens.choose import Answer, ChooseScreen
from barista_tui.widgets.form import FormList

LEAVE_OUT, OTHER, VALUE = "-", "?", "="
"""Beginnings of answers: leave it out, type another, take this value."""

FROZEN = "frozen: it has been trained with it"


class FormView(Vertical):
    """Shows a form and asks for values; :class:`Wanted` tells what shall be changed, the owner does it."""

    DEFAULT_CSS = """
    FormView { height: 1fr; width: 1fr; }
    FormView #form-top { height: 1fr; }
    FormView #form-banner { height: auto; max-height: 4; padding: 0 1; color: $warning; }
    FormView #form-about { height: 5; padding: 0 1; border-top: solid $faint; }
    FormView #form-line { height: 1; display: none; }
    FormView #form-line.-open { display: block; }
    FormView #form-line Static { width: auto; padding: 0 1; color: $accent; }
    FormView #form-line Input { width: 1fr; height: 1; background: $panel; }
    FormView #form-search { height: 1; display: none; background: $panel; }
    FormView #form-search.-open { display: block; }
    """

    class Wanted(Message):
        """These fields shall be changed."""

        def __init__(self, edits: list[FieldEdit]) -> None:
            super().__init__()
            self.edits = edits

    class Frozen(Message):
        """This field would be changed, had it not been trained with."""

        def __init__(self, field: str) -> None:
            super().__init__()
            self.field = field

    def __init__(self, side: Widget | None = None) -> None:
        super().__init__()
        self._side = side
        """What stands beside the fields."""
        self.list = FormList(id="form")
        self.form: Form | None = None
        self._problems: Sequence[Problem] = ()
        self._banner, self._about = Static(id="form-banner"), Static(id="form-about")
        self._line = Horizontal(id="form-line")
        self._label, self._input = Static(), Input(compact=True, id="form-input")
        self._search = Input(compact=True, id="form-search", placeholder="name or meaning of a field")
        self._typing: FormField | None = None
        self._told: tuple[str, str] | None = None
        """What came of the last edit, and its colour; gone when another field is chosen."""

    def compose(self) -> ComposeResult:
        yield self._banner
        with Horizontal(id="form-top"):
            yield self.list
            if self._side is not None:
                yield self._side
        yield self._search
        yield self._about
        with self._line:
            yield self._label
            yield self._input

    def on_mount(self) -> None:
        self._banner.display = False

    # ---------------------------------------------------------------------------------- showing

    def show(self, form: Form, problems: Sequence[Problem], banner: str = "") -> None:
        """The form as it is now; the cursor stays."""
        self.form, self._problems = form, problems
        self._banner.update(Content(banner))
        self._banner.display = bool(banner)
        self.list.show(formrows.rows(form), problems, form.standing.frozen == "started")
        self._tell()

    def told(self, text: str, tone: str = "$success") -> None:
        """What came of an edit."""
        self._told = (text, tone)
        self._tell()

    @on(FormList.Chosen)
    def _chosen(self, message: FormList.Chosen) -> None:
        message.stop()
        if self._typing is None:
            self._told = None
        self._tell()

    def _tell(self) -> None:
        field, form = self.list.chosen, self.form
        if field is None or form is None:
            self._about.update("")
            return
        lines = [Content(formrows.about(field, form))]
        wrong = formrows.of_field(field, self._problems)
        lines += [Content.styled(formrows.problem_line(each), "$error") for each in wrong[:1]]
        lines.append(Content.styled(*(self._told or (formrows.facts(field), "$dim"))))
        self._about.update(Content("\n").join(lines))

    def goal(self) -> Widget:
        """What gets the focus."""
        return self._input if self._typing is not None else self.list

    # ---------------------------------------------------------------------------------- filling in

    @on(FormList.Opened)
    def _opened(self, message: FormList.Opened) -> None:
        message.stop()
        self.edit()

    def refusal(self) -> str:
        """Why the chosen field cannot be changed, in words; empty: it can."""
        field, form = self.list.chosen, self.form
        if field is None or form is None:
            return "nothing is chosen"
        if field.kind in ("block", "foreign"):
            return "only in the text"
        return "" if form.standing.frozen == "started" and field.open else self.blocked()

    def blocked(self) -> str:
        """Why nothing that is learned by can be changed, in words; empty: it can."""
        frozen = self.form.standing.frozen if self.form is not None else ""
        return {"running": "it runs: pause it first", "started": FROZEN}.get(frozen, "")

    def edit(self) -> None:
        """Turn over, choose or type the value of the chosen field."""
        field = self.list.chosen
        if field is None or (why := self.refusal()):
            self._refuse(field, why if field is not None else "nothing is chosen")
        elif field.kind == "bool" and not field.repeated:
            on = (field.values[0] if field.values else field.default) == "true"
            self._want(field, "false" if on else "true")
        elif field.choices and not field.repeated:
            self._choose(field)
        else:
            self._type(field)

    def unset(self) -> None:
        """Leave the chosen field out."""
        field = self.list.chosen
        if field is None or (why := self.refusal()):
            self._refuse(field, why if field is not None else "nothing is chosen")
        elif not field.values:
            self.told(f"{field.name} is left out already", "$warning")
        else:
            self._want(field, None)

    def _refuse(self, field: FormField | None, why: str) -> None:
        self.told(f"{field.name}: {why}" if field is not None else why, "$warning")
        if field is not None and why == FROZEN:
            self.post_message(self.Frozen(field.name))

    def _want(self, field: FormField, typed: str | None) -> None:
        self.post_message(self.Wanted([FieldEdit(path=field.path, typed=typed)]))

    def _choose(self, field: FormField) -> None:
        answers = [Answer(VALUE + each, each) for each in field.choices]
        if field.kind != "enum":
            answers.append(Answer(OTHER, "another …"))
        if field.values:
            answers.append(Answer(LEAVE_OUT, "leave it out", field.default))
        now = field.values[0] if field.values else field.default

        def answered(answer: str | None) -> None:
            if answer == OTHER:
                self._type(field)
            elif answer is not None:
                self._want(field, None if answer == LEAVE_OUT else answer.removeprefix(VALUE))

        self.app.push_screen(ChooseScreen(f"{field.name}: {field.about}", answers, VALUE + now), answered)

    def _type(self, field: FormField) -> None:
        self._typing, self._told = field, None
        self._label.update(Content(f"{field.name} ="))
        self._input.value = formrows.edit_text(field)
        self._input.placeholder = field.default and f"{field.default} (left out)"
        self._line.add_class("-open")
        self._input.focus()
        self._input.action_end()
        self._tell()

    @on(Input.Submitted, "#form-input")
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if self._typing is not None:
            text = event.value if event.value.strip() else None
            if text is None and not self._typing.values:
                self.close()
            else:
                self._want(self._typing, text)

    def close(self) -> bool:
        """Leave the line that is typed in, or the search; False where none is open."""
        if self._search.has_class("-open"):
            self._search.value = ""
            self._search.remove_class("-open")
            self.list.mark(())
            self.list.focus()
            return True
        if self._typing is None:
            return False
        self._typing = None
        self._line.remove_class("-open")
        self.list.focus()
        self._tell()
        return True

    # ---------------------------------------------------------------------------------- search

    def find(self) -> None:
        """Search names and meanings."""
        self._search.add_class("-open")
        self._search.focus()

    @on(Input.Changed, "#form-search")
    def _search_changed(self) -> None:
        found = formrows.matching(self.list.rows, self._search.value)
        self.list.mark(found)
        if found and self.list.index not in found:
            self.list.go(found[0])

    @on(Input.Submitted, "#form-search")
    def _search_done(self, event: Input.Submitted) -> None:
        """The next that matches."""
        event.stop()
        found = sorted(self.list.found)
        if found:
            self.list.go(next((at for at in found if at > self.list.index), found[0]))
