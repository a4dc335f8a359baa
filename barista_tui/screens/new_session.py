"""A new session: from a template, or from the prototxt files a Caffe user has."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Literal, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Button, Input, OptionList, Select, Static
from textual.widgets.option_list import Option

from barista_server.api.messages import (
    CaffeInfo,
    CaffeList,
    Defaults,
    DeleteSession,
    Failure,
    GetDefaults,
    ListCaffes,
    ListTemplates,
    NewSession,
    Problem,
    QueueSession,
    SessionInfo,
    SessionReply,
    StartSession,
    State,
    TemplateInfo,
    TemplateList,
    TrashReply,
)
from barista_tui import workers
from barista_tui.format import caffe_words
from barista_tui.host import CallFailed, Host, LinkError
from barista_tui.hosts import LOCAL
from barista_tui.screens.details import problem_lines
from barista_tui.screens.device_pick import DevicePick
from barista_tui.screens.dialog import Dialog
from barista_tui.widgets.leadinglist import LeadingList

Then = Literal["", "start", "queue"]
"""What is done with a session once it is made."""
FILES = "files"
"""Id of the list's last row: own prototxt files instead of a template."""


class PathSuggester(Suggester):
    """Completes a path from the folders that are there, and the files that end so."""

    def __init__(self, suffix: str = ".prototxt") -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._suffix = suffix

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(complete_path, value, self._suffix)


def complete_path(value: str, suffix: str = ".prototxt") -> str | None:
    """The first folder, or file with the suffix (empty: any), that goes on from ``value``, or None."""
    if not value:
        return None
    typed = Path(value).expanduser()
    folder, start = (typed, "") if value.endswith("/") else (typed.parent, typed.name)
    try:
        names = sorted(
            each.name + ("/" if each.is_dir() else "")
            for each in folder.iterdir()
            if each.name.startswith(start)
            and not (each.name.startswith(".") and not start)
            and (each.is_dir() or each.name.endswith(suffix))
        )
    except OSError:
        return None
    return value + names[0][len(start) :] if names else None


def on_host(host: Host) -> str:
    """`` on gpu01``, where it is not this machine."""
    return "" if host.name == LOCAL else f" on {host.name}"


class NewSessionScreen(Dialog[SessionInfo | None]):
    """Answers the new session, or None when backed out."""

    BINDINGS = [
        Binding("escape", "dismiss", show=False),
        Binding("ctrl+s", "create('start')", show=False),
        Binding("ctrl+l", "create('queue')", show=False),
        Binding("ctrl+n", "create('')", show=False),
    ]

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._templates: list[TemplateInfo] = []
        self._busy = False

    # ---------------------------------------------------------------------------------- composition

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="new-session"):
            yield Static(Content(f"New session{on_host(self._host)}"), classes="title")
            yield LeadingList(lead=self._to_fields, id="origin")
            yield Static(id="about", classes="line dim")
            with Grid(id="fields"):
                yield Static(Content("solver"), classes="label files")
                yield Input(
                    placeholder="path of solver.prototxt",
                    id="solver",
                    compact=True,
                    classes="files",
                    suggester=PathSuggester(),
                )
                yield Static(Content("net"), classes="label files")
                yield Input(
                    placeholder="as the solver names it",
                    id="net",
                    compact=True,
                    classes="files",
                    suggester=PathSuggester(),
                )
                yield Static(Content("started in"), classes="label files")
                yield Input(
                    placeholder="where relative paths begin; found by itself",
                    id="base",
                    compact=True,
                    classes="files",
                    suggester=PathSuggester(),
                )
                yield Static(Content("name"), classes="label")
                yield Input(placeholder="made from the template or file", id="name", compact=True)
                yield Static(Content("caffe"), classes="label")
                yield Select[str]([], id="caffe", prompt="the host's default", compact=True)
                yield Static(Content("device"), classes="label")
                yield DevicePick()
            yield Static(id="error", classes="line")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Create ^n", id="create", compact=True)
                yield Button("Create and queue ^l", id="create-queue", compact=True)
                yield Button("Create and start ^s", id="create-start", variant="primary", compact=True)

    def on_mount(self) -> None:
        self._show_origins()
        self.query_one("#origin").focus()
        workers.begin(self, self._ask_host)

    async def _ask_host(self) -> None:
        try:
            templates = await self._host.call(ListTemplates(), TemplateList)
            caffes = await self._host.call(ListCaffes(), CaffeList)
            defaults = await self._host.call(GetDefaults(), Defaults)
        except (CallFailed, LinkError) as error:
            self._tell(Content.styled(str(error), "$error"))
            return
        self._templates = templates.templates
        self._show_origins()
        self._show_caffes(caffes.caffes)
        await self.query_one(DevicePick).ask(self._host, defaults.device)

    def _show_origins(self) -> None:
        origin = self.query_one("#origin", OptionList)
        # Who went on to the files before the templates came stays there.
        gone_on = origin.option_count and not origin.has_focus
        origin.clear_options()
        for each in self._templates:
            row = Content.assemble(
                (f"{each.title:<28.28} ", "$foreground"), (each.about.splitlines()[0], "$dim")
            )
            origin.add_option(Option(row, id=f"template:{each.name}"))
        row = Content.assemble(
            (f"{'Own prototxt files':<28} ", "$foreground"), ("a solver and its net", "$dim")
        )
        origin.add_option(Option(row, id=FILES))
        origin.highlighted = len(self._templates) if gone_on else 0

    def _show_caffes(self, caffes: list[CaffeInfo]) -> None:
        usable = [each for each in caffes if each.problem is None]
        options = [(f"{each.name}  {caffe_words(each)}".strip(), each.name) for each in usable]
        self.query_one("#caffe", Select).set_options(options)

    @on(OptionList.OptionHighlighted, "#origin")
    def _origin_changed(self) -> None:
        template = self._template()
        self.query_one("#new-session").set_class(template is None, "-files")
        about = (
            template.about
            if template
            else "The net is found through the solver; paths in both may be relative."
        )
        self.query_one("#about", Static).update(Content(about))
        self._tell(Content(""))

    def _to_fields(self) -> None:
        # Not focus(), which waits its turn behind keys that have come.
        self.set_focus(self.query_one("#solver" if self._template() is None else "#name", Input))

    def _template(self) -> TemplateInfo | None:
        place = self.query_one("#origin", OptionList).highlighted
        return self._templates[place] if place is not None and place < len(self._templates) else None

    # ---------------------------------------------------------------------------------- creating

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "cancel":
            self.dismiss(None)
        else:
            self.action_create(cast("Then", (event.button.id or "").removeprefix("create").lstrip("-")))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_create("start")

    def action_create(self, then: Then) -> None:
        """Make the session, then start or queue it if asked; what is wrong is shown at its field."""
        if not self._busy:
            self._busy = True
            self._tell(Content.styled("making it …", "$dim"))
            workers.begin(self, partial(self._create, then))

    async def _create(self, then: Then) -> None:
        from barista_tui.verbs.errors import VerbError

        try:
            call = await self._call()
            session = (await self._host.call(call, SessionReply)).session
        except VerbError as error:
            self._refused(
                [Problem(text=str(error), file="solver", hint=getattr(error, "hint", None) or None)]
            )
            return
        except CallFailed as error:
            self._refused(_problems(error.failure))
            return
        except LinkError as error:
            self._refused([Problem(text=str(error))])
            return
        finally:
            self._busy = False
        if then and session.state is State.INVALID:
            await self._take_back(session)
            return
        if then:
            after = StartSession(session.id) if then == "start" else QueueSession(session.id)
            try:
                session = (await self._host.call(after, SessionReply)).session
            except (CallFailed, LinkError) as error:
                what = "started" if then == "start" else "queued"
                self.notify(
                    f"{session.name} was made but not {what}.\n{error}", severity="warning", markup=False
                )
        self.dismiss(session)

    async def _take_back(self, session: SessionInfo) -> None:
        """It was meant to run and cannot: leave nothing but the reasons, here where they are mended."""
        try:
            await self._host.call(DeleteSession(session=session.id), TrashReply)
        except (CallFailed, LinkError):
            # Then it stays in the list as what it is: invalid, with the same reasons.
            self.dismiss(session)
            return
        self._refused(session.problems)
        told = self.query_one("#error", Static).content
        assert isinstance(told, Content)
        more = Content.styled("Nothing was made. ^n makes it all the same, to be mended later.", "$dim")
        self._tell(Content("\n").join([told, more]))
        self._mark(session.problems)

    async def _call(self) -> NewSession:
        def text(field: str) -> str:
            return self.query_one(f"#{field}", Input).value.strip()

        chosen = self.query_one("#caffe", Select).value
        caffe = chosen if isinstance(chosen, str) else ""
        device = self.query_one(DevicePick).value
        template = self._template()
        if template is not None:
            return NewSession(name=text("name"), template=template.name, caffe=caffe, device=device)
        from barista_tui.verbs.errors import VerbError
        from barista_tui.verbs.new import read_files

        if not text("solver"):
            raise VerbError("the path of a solver.prototxt is needed")
        solver, net, base = (_path(text(field)) for field in ("solver", "net", "base"))
        assert solver is not None
        files = await asyncio.to_thread(read_files, solver, net, base)
        name = text("name") or solver.stem.removesuffix("_solver")
        return NewSession(
            name=name, solver=files.solver, net=files.net, base=str(files.base), caffe=caffe, device=device
        )

    def _refused(self, problems: list[Problem]) -> None:
        lines = [line for problem in problems for line in problem_lines(problem)]
        self._tell(Content("\n").join(lines[:8]))
        self._mark(problems)

    def _mark(self, problems: list[Problem]) -> None:
        field = _field_of(problems[0]) if problems else None
        if field is not None and self.query_one(f"#{field}").display:
            self.query_one(f"#{field}").add_class("-wrong")
            self.query_one(f"#{field}").focus()

    def _tell(self, content: Content) -> None:
        self.query(".-wrong").remove_class("-wrong")
        self.query_one("#error", Static).update(content)


def _path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _problems(failure: Failure) -> list[Problem]:
    return failure.problems or [Problem(text=failure.text, hint=failure.hint)]


def _field_of(problem: Problem) -> str | None:
    words = f"{problem.file or ''} {problem.text}".lower()
    return next((field for field in ("solver", "net", "device", "caffe", "name") if field in words), None)
