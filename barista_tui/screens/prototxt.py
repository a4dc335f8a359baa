"""An editor of a session's net or solver, which tells what is wrong while one types."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.timer import Timer
from textual.widgets import OptionList, Static, TextArea
from textual.widgets.option_list import Option

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import FileName, FileText, Problem
from barista_tui import drafts, managerkeys, workers
from barista_tui import format as fmt
from barista_tui.formrows import problem_line
from barista_tui.formwork import Filing, banner, save_as
from barista_tui.protolight import as_bytes, shown
from barista_tui.screens.acting import ActingScreen
from barista_tui.screens.confirm import Choice, ConfirmScreen
from barista_tui.screens.prompt import PromptScreen
from barista_tui.screens.text import TextScreen
from barista_tui.store import Key
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.protoarea import ProtoArea

if TYPE_CHECKING:
    from barista_tui.screens.main import MainScreen

PAUSE = 0.4
"""Seconds without a key before the text is checked."""


class ProtoEditor(ActingScreen):
    """Leaving loses nothing: a text that was not saved is there again when the editor is opened again."""

    DEFAULT_CSS = """
    ProtoEditor #proto-banner { height: auto; padding: 0 1; color: $warning; display: none; }
    ProtoEditor #proto-told { height: 2; padding: 0 1; color: $dim; border-top: solid $faint; }
    ProtoEditor #proto-problems {
        height: auto; max-height: 6; border: none; padding: 0; background: $background; display: none;
        background-tint: $foreground 0%; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    """
    BINDINGS = managerkeys.bindings(managerkeys.EDITOR)
    AUTO_FOCUS = "#proto-area"

    def __init__(self, key: Key, file: FileName, line: int = 1) -> None:
        super().__init__()
        self._key = key
        self._file: FileName = file
        self._first_line = line
        self._head, self._footer = Bar(id="header"), Bar(id="footer")
        self._banner, self._told = Static(id="proto-banner"), Static(id="proto-told")
        self.area = ProtoArea(id="proto-area")
        self._list = OptionList(id="proto-problems", compact=True)
        self.saved: FileText | None = None
        """The text as the agent has it."""
        self._seen = ""
        """Revision of the text that was edited: a draft's is that of its day."""
        self.problems: Sequence[Problem] = ()
        self.checked = False
        """What is shown is about the text as it is now."""
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._banner
        yield self.area
        yield self._told
        yield self._list
        yield self._footer

    def on_mount(self) -> None:
        self.area.read_only = True
        self._footer.show(managerkeys.footer(managerkeys.EDITOR, self.app.keymap.keys))
        self._paint()
        self._ask(self._load(), "The text cannot be shown")

    def _ask(self, deed: object, what: str) -> None:
        self.ask_agent(deed, what)  # type: ignore[arg-type]

    @property
    def _filing(self) -> Filing:
        return Filing(self.app, self._key, self._file)

    @property
    def _place(self) -> tuple[str, str, str]:
        """Whose text it is, whatever the hosts are called."""
        return str(self.app.fleet.of(self._key).target), self._key.session, self._file

    @property
    def modified(self) -> bool:
        """There is something to save."""
        return self.saved is not None and as_bytes(self.area.text) != self.saved.data

    # ---------------------------------------------------------------------------------- text

    async def _load(self) -> None:
        text = await self._filing.text()
        self._take(text)
        draft = drafts.load(*self._place)
        content = shown(text.data)
        if content is None:
            self.say("The text has characters that cannot be edited here: barista edit opens it", "error")
            self.area.load_text(text.data.decode("utf-8", "replace"))
            return
        self.area.load_text(content)
        if as_bytes(self.area.text) != text.data:
            self.say("Its line ends are of several kinds: saving makes them alike", "warning")
        if draft is not None:
            self.area.replace(draft.text, self.area.document.start, self.area.document.end)
            self._seen = draft.seen
            self.say("Here is what you had not saved; ^z takes it back", "information")
        self.area.read_only = text.standing.frozen == "running"
        self.area.go_to(self._first_line)
        self._check_soon()

    def _take(self, text: FileText) -> None:
        self.saved, self._seen = text, text.revision
        words = banner(text.standing, self._file, self.app.main.context())
        self._banner.update(Content(words))
        self._banner.display = bool(words)
        self._paint()

    @on(TextArea.Changed)
    def _typed(self) -> None:
        self._check_soon()

    def _check_soon(self) -> None:
        """Ask once nobody has typed for a moment."""
        if self._timer is not None:
            self._timer.stop()
        self.checked = False
        self._timer = self.set_timer(PAUSE, self._check_now)
        self._paint()

    def _check_now(self) -> None:
        if self.saved is not None:
            workers.begin(self, self._check, "check", newest=True)

    async def _check(self) -> None:
        text = self.area.text
        try:
            report = await self._filing.check(as_bytes(text))
        except (CallFailed, LinkError) as error:
            self._told.update(Content(f"It cannot be checked: {error}"))
            return
        if text == self.area.text:
            self.checked = True
            self._show_problems([*report.problems, *report.warnings], len(report.problems))

    def _show_problems(self, problems: Sequence[Problem], errors: int) -> None:
        self.problems = problems
        name = f"{self._file}.prototxt"
        self.area.mark([each.line for each in problems if each.line is not None and each.file == name])
        options = [
            Option(
                Content.assemble(("✖ ", "$error") if at < errors else ("! ", "$warning"), problem_line(each))
            )
            for at, each in enumerate(problems)
        ]
        self._list.clear_options().add_options(options)
        self._list.display = bool(options)
        self._paint()

    def _paint(self) -> None:
        session = self.app.store.known.sessions.get(self._key)
        name = session.name if session is not None else self._key.session
        state = "modified" if self.modified else "saved" if self.saved is not None else "…"
        row, column = self.area.cursor_location
        self._head.show(
            [Piece(f" {self._file}.prototxt", "accent", bold=True), Piece(f"  {name}", "text")],
            [
                Piece(f"{state}  ", "accent" if self.modified else "dim"),
                Piece(f"{row + 1}:{column + 1} ", "dim"),
            ],
        )
        if not self.checked:
            words = "checking …"
        elif not self.problems:
            words = "✔ nothing is wrong"
        else:
            words = f"{fmt.plural(len(self.problems), 'thing')} to look at"
        self._told.update(Content(words))

    @on(TextArea.SelectionChanged)
    def _moved(self) -> None:
        self._paint()

    # ---------------------------------------------------------------------------------- keys

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        problem = self.problems[event.option_index]
        if problem.file == f"{self._file}.prototxt" and problem.line is not None:
            self.area.go_to(problem.line)
            self.area.focus()

    def action_next_problem(self) -> None:
        """To the next line that something is wrong with."""
        name = f"{self._file}.prototxt"
        lines = sorted({each.line for each in self.problems if each.line is not None and each.file == name})
        if not lines:
            self.say("Nothing is wrong with a line of this file", "information")
            return
        at = self.area.cursor_location[0] + 1
        self.area.go_to(next((line for line in lines if line > at), lines[0]))
        self.area.focus()

    def action_save(self) -> None:
        """Write it, unless somebody else has written it meanwhile."""
        if self.saved is not None and self.modified:
            self._ask(self._save(self._seen), "It was not saved")
        elif self.saved is not None:
            self.say("There is nothing to save", "information")

    async def _save(self, seen: str) -> None:
        try:
            text = await self._filing.put(as_bytes(self.area.text), seen)
        except CallFailed as error:
            if error.failure.code == "changed":
                await self._changed_meanwhile()
                return
            if error.failure.problems:
                self._show_problems(error.failure.problems, len(error.failure.problems))
            raise
        self._take(text)
        drafts.drop(*self._place)
        self.say(f"Saved: {text.what}" if text.what else "It is that already", "information")

    async def _changed_meanwhile(self) -> None:
        theirs = await self._filing.text()
        body = (
            "Somebody else has written the file since it was opened here.",
            "Whatever is taken, undo brings the other one back.",
        )
        choices = (
            Choice("", "Keep editing"),
            Choice("theirs", "Show theirs", "primary"),
            Choice("mine", "Save mine over it", "warning"),
        )

        def decided(choice: str | None) -> None:
            if choice == "mine":
                self._take(theirs)
                self._ask(self._save(theirs.revision), "It was not saved")
            elif choice == "theirs":
                self._take(theirs)
                content = shown(theirs.data) or ""
                self.area.replace(content, self.area.document.start, self.area.document.end)

        self.app.push_screen(ConfirmScreen("Changed meanwhile", body, choices), decided)

    def action_renew(self) -> None:
        """Write an old net anew; ^z, or undo of the net, takes it back."""
        if self.modified:
            self.say("Save it first, or take back what you typed", "warning")
        elif self.saved is not None:
            self._ask(self._renew(self.saved.revision), "It stays as it is")

    async def _renew(self, seen: str) -> None:
        text = await self._filing.renew(seen)
        self._take(text)
        self.area.replace(shown(text.data) or "", self.area.document.start, self.area.document.end)
        told = [each.text for each in text.warnings if each.line is None]
        self.say("\n".join(["Brought up to date; comments are left at the top only", *told]), "information")

    def action_load(self) -> None:
        """Take the text of a file on this machine; ^z takes it back."""

        def answered(typed: str | None) -> None:
            if typed:
                workers.begin(self, partial(self._load_file, Path(typed).expanduser()))

        self.app.push_screen(PromptScreen("Take the text of which file on this machine?"), answered)

    async def _load_file(self, path: Path) -> None:
        try:
            content = shown(await asyncio.to_thread(path.read_bytes))
        except OSError as error:
            self.say(f"{path} cannot be read: {error.strerror}. Name another file.", "error")
            return
        if content is None:
            self.say(f"{path} is no text that can be edited here. Name a .prototxt file.", "error")
        elif self.area.read_only:
            self.say("It runs: pause it first", "warning")
        else:
            self.area.replace(content, self.area.document.start, self.area.document.end)

    def action_export(self) -> None:
        """Save what was saved last as a file on this machine."""
        ask_where(self.app.main, self._filing)

    def action_keys(self) -> None:
        page = managerkeys.page(managerkeys.EDITOR, self.app.keymap.keys, "^z undoes, ^y does it again.")
        self.app.push_screen(TextScreen("Keys", page))

    def action_leave(self) -> None:
        """Back; what was not saved is kept for the next time."""
        if self._list.has_focus:
            self.area.focus()
            return
        if self._keep():
            self.app.main.say(f"{self._file}.prototxt was not saved: e opens what you typed", "warning")
        self.dismiss()

    def _keep(self) -> bool:
        """Keep what was not saved; whether there is such."""
        if not self.modified or self.area.read_only:
            if self.saved is not None:
                drafts.drop(*self._place)
            return False
        try:
            drafts.save(*self._place, drafts.Draft(self.area.text, self._seen))
        except OSError as error:
            self.app.main.say(f"What you typed could not be kept: {error.strerror}", "error")
        return True

    def on_unmount(self) -> None:
        # The program may end while a text is open.
        self._keep()


def ask_where(main: MainScreen, filing: Filing) -> None:
    """Ask for a path, and save the text there, byte for byte; an older file is not overwritten."""
    session = main.app.store.known.sessions.get(filing.key)
    name = f"{session.name if session else filing.key.session}-{filing.file}.prototxt".replace("/", "_")

    async def write(path: Path) -> None:
        text = await filing.text()
        try:
            await asyncio.to_thread(save_as, path, text.data)
        except FileExistsError:
            main.say(f"{path} is there already: give another name", "error")
        except OSError as error:
            main.say(f"{path} was not written: {error.strerror}", "error")
        else:
            main.say(f"Written: {path}, {fmt.size(len(text.data))}", "information")

    def answered(typed: str | None) -> None:
        if typed:
            main.ask_agent(write(Path(typed).expanduser().absolute()), "The text was not saved")

    main.app.push_screen(PromptScreen(f"Save {filing.file}.prototxt on this machine as", name), answered)
