"""Open a project: one of late, or by its path."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from barista_server.api.text import clean_name
from barista_tui import opening, projects
from barista_tui.opening import Opening, OpeningError
from barista_tui.screens.dialog import Dialog

EVERYTHING = "everything"


class ProjectsScreen(Dialog[Opening | None]):
    """Answers what to open, or None. What is wrong with a file is shown here."""

    BINDINGS = [Binding("escape", "dismiss", show=False)]

    def compose(self) -> ComposeResult:
        self._paths = projects.recent().paths
        options = [
            Option(Content.assemble(path.stem, (f"  {clean_name(str(path.parent))}", "$dim")), id=str(place))
            for place, path in enumerate(self._paths)
        ]
        options.append(Option(Content("all hosts, no project"), id=EVERYTHING))
        with Vertical(classes="dialog wide", id="projects"):
            yield Static(Content("Open a project"), classes="title")
            yield OptionList(*options, id="recent", compact=True)
            yield Input(placeholder="or a path: project, session's folder, log", id="path", compact=True)
            yield Static(id="error", classes="line")
            yield Static(Content("enter opens, tab goes to the path, esc leaves"), classes="line dim hint")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_id == EVERYTHING:
            self._open(None)
        elif event.option_id is not None:
            self._open(self._paths[int(event.option_id)])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._open(Path(event.value.strip()))

    def _open(self, path: Path | None) -> None:
        try:
            self.dismiss(opening.everything() if path is None else opening.of_path(path))
        except OpeningError as error:
            self.query_one("#error", Static).update(Content.styled(str(error), "$error"))
