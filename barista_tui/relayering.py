"""Layers put into a net, doubled and taken out, from its drawing or from a layer's form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from barista_server.api.link import CallFailed
from barista_server.api.messages import EditLayer, Failure, FileText, Form
from barista_tui.formwork import Filing
from barista_tui.screens.form import Answers, Field, FormScreen
from barista_tui.screens.layer_form import LayerForm
from barista_tui.screens.ways_out import offer
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp

Deed = Literal["add", "copy", "remove"]


def edit_of(form: Form, session: str, deed: Deed, kind: str = "", called: str = "") -> EditLayer:
    """The deed behind the form's layer, or to it, decided by what the form shows."""
    return EditLayer(
        session=session, deed=deed, layer=form.layer, kind=kind, called=called, seen=form.revision
    )


def ask_new(app: BaristaApp, form: Form, take: Callable[[str, str], None]) -> None:
    """Ask for type and name of a layer behind the form's."""
    fields = (each for group in form.groups for each in group.fields)
    types = next((each.choices for each in fields if each.name == "type" and each.kind == "string"), [])
    first = "Convolution" if "Convolution" in types else ""
    asked = (
        Field("type", "type", "choice", first, choices=[(each, each) for each in types]),
        Field("name", "name", hint="made from the type: conv3"),
    )

    def answered(answers: Answers | None) -> None:
        if answers is not None:
            take(answers["type"], answers["name"])

    about = "It reads what that one makes, and those that follow read it. Typing in the list searches it."
    app.push_screen(FormScreen(f"A layer behind {form.title}", about, asked, "Add"), answered)


class Relayering:
    """For a drawing of a net: ``changed`` is called once the net is another one, with the layer to go to."""

    def __init__(self, app: BaristaApp, key: Key, changed: Callable[[str | None], None]) -> None:
        self._app, self._main, self._key, self._changed = app, app.main, key, changed
        self._filing = Filing(app, key, "net")

    def begin(self, deed: Deed, line: int, name: str) -> None:
        """To the layer of that name, whose block begins on that line, or behind it."""
        self._main.ask_agent(self._begin(deed, line, name), "The net is as it was")

    async def _begin(self, deed: Deed, line: int, name: str) -> None:
        form = await self._filing.form(line=line)
        session = self._key.session
        if form.title != name:
            self._changed(None)
            raise CallFailed(Failure("changed", "the net is another one meanwhile", "Look at it again."))
        if form.standing.frozen == "started":
            offer(self._main, "The net")
        elif deed == "add":
            ask_new(
                self._app,
                form,
                lambda kind, called: self._main.ask_agent(
                    self._do(edit_of(form, session, deed, kind, called)), "No layer was added"
                ),
            )
        else:
            await self._do(edit_of(form, session, deed))

    async def _do(self, deed: EditLayer) -> None:
        text: FileText = await self._filing.relayer(deed)
        if deed.deed == "remove" or text.layer is None:
            self._main.say(f"net.prototxt: {text.what}", "information")
            self._changed(None)
        else:
            self._app.push_screen(LayerForm(self._key, layer=text.layer), self._changed)
