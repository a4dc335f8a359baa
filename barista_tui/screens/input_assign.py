"""A dataset of the input manager given to a data layer of the session that is selected in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barista_server.api.messages import DatasetInfo, DatasetList, DescribeNet, Form, ListDatasets, NetReport
from barista_server.api.text import clean_name
from barista_tui import assigning
from barista_tui import format as fmt
from barista_tui.datasets import Row
from barista_tui.formwork import Filing
from barista_tui.screens.choose import Answer, ChooseScreen
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.screens.acting import ActingScreen


def assign(screen: ActingScreen, row: Row) -> None:
    """Ask which layer shall read it. Inputs have to be on the session's host."""
    main = screen.app.main
    session, key = main.session, main.key
    if session is None or key is None or session.kind == "log":
        screen.say("Select a session in the list first: its data layers can then read this", "warning")
    else:
        screen.ask_agent(_assign(screen, row, key, session.name), f"{session.name} reads what it read before")


async def _assign(screen: ActingScreen, row: Row, key: Key, session: str) -> None:
    dataset = row.dataset if row.key.host == key.host else await _same_there(screen, row, key)
    name = clean_name(row.dataset.name)
    if dataset is None:
        text = f"{name} is on {row.key.host}, and {session} on {key.host}: c copies it there"
        screen.say(text, "warning")
        return
    filing = Filing(screen.app, key, "net")
    layers = await _data_layers(screen, filing)
    fitting = [form for form in layers if assigning.fits(form, dataset)]
    if not fitting:
        have = ", ".join(dict.fromkeys(f"'{clean_name(form.title)}' ({form.kind})" for form in layers))
        text = f"No layer of {session} reads such data" + (f"; it has {have}" if have else "")
        screen.say(text, "warning")
        return
    answers = [
        Answer(str(form.layer), f"{form.title}{assigning.phase_words(form)}", assigning.source_of(form))
        for form in fitting
    ]

    def answered(chosen: str | None) -> None:
        form = next((each for each in fitting if str(each.layer) == chosen), None)
        if form is not None:
            screen.ask_agent(_write(screen, filing, form, dataset), f"{session} reads what it read before")

    title = f"Which layer of {clean_name(session)} shall read {clean_name(dataset.name)}?"
    screen.app.push_screen(ChooseScreen(title, answers), answered)


async def _same_there(screen: ActingScreen, row: Row, key: Key) -> DatasetInfo | None:
    """The same content on the session's host."""
    if not row.dataset.content:
        return None
    there = (await screen.app.fleet.of(key).call(ListDatasets(), DatasetList)).datasets
    found = next((each for each in there if each.content == row.dataset.content and each.alive), None)
    if found is not None:
        text = f"{key.host} has the same data, as {clean_name(found.name)}: that is taken"
        screen.say(text, "information")
    return found


async def _data_layers(screen: ActingScreen, filing: Filing) -> list[Form]:
    """Forms of the layers that read datasets, in the order of the file. Raises CallFailed, LinkError."""
    call = DescribeNet(session=filing.key.session)
    report = await screen.app.fleet.of(filing.key).call(call, NetReport)
    lines = {
        layer.line
        for view in report.nets
        if view.file == "net.prototxt"
        for layer in view.layers
        if layer.line is not None and not layer.bottoms
    }
    forms = [await filing.form(line=line) for line in sorted(lines)]
    return [form for form in forms if assigning.reads_data(form)]


async def _write(screen: ActingScreen, filing: Filing, form: Form, dataset: DatasetInfo) -> None:
    text = await filing.edit(assigning.edits(form, dataset), form.revision)
    wrong = f"; {fmt.plural(len(text.problems), 'problem')} left in its files" if text.problems else ""
    said = (
        f"{clean_name(form.title)}{assigning.phase_words(form)} reads {clean_name(dataset.name)} now{wrong}"
    )
    screen.say(said if text.what else f"{said}: it did already", "information")
