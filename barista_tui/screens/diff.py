"""What tells net and solver of two sessions apart, on two columns."""

from __future__ import annotations

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from barista_server.api.messages import SessionInfo, SettingsDiff
from barista_server.api.text import clean_name
from barista_tui import difftext, managerkeys, workers
from barista_tui import format as fmt
from barista_tui.commands import failure_text
from barista_tui.difftext import Line
from barista_tui.family import parent_of
from barista_tui.host import CallFailed, LinkError
from barista_tui.screens.beside import TableScreen
from barista_tui.store import Key
from barista_tui.together import settings_diff
from barista_tui.widgets.table import LineList

TONES = {"+": "$success", "-": "$error", "~": "$warning", "=": "$warning", ">": "$warning"}
INDENT = 6
"""Cells before the name of a field."""


class DiffScreen(TableScreen):
    """On the right the selected session, on the left a marked one, else the one it was made from."""

    KEYS = managerkeys.DIFF
    TITLE_OF_KEYS = "Diff"
    DEFAULT_CSS = """
    DiffScreen #diff-head { height: 1; padding: 0 1; color: $dim; }
    DiffScreen #diff-lines > .option-list--option { padding: 0 1; }
    """
    BINDINGS = managerkeys.bindings(managerkeys.DIFF)

    def __init__(self, old: Key | None = None, new: Key | None = None) -> None:
        super().__init__()
        self._old, self._new = old, new
        self._told: SettingsDiff | None = None
        self._lines: list[Line] = []
        self._note = ""

    def body(self) -> ComposeResult:
        yield Static(id="diff-head")
        yield LineList(id="diff-lines", compact=True)

    def begin(self) -> None:
        if self._new is None:
            self._new = self.app.main.key
            assert self._new is not None, "the action table lets it through for a session only"
            marked = [key for key in self.app.main.sessions.marked if key != self._new]
            self._old = marked[0] if marked else parent_of(self._new, self._known)
        self._show()
        if self._old is None:
            self.action_other()
        else:
            self.action_reload()

    # ---------------------------------------------------------------------------------- which

    @property
    def _known(self) -> dict[Key, SessionInfo]:
        known = self.app.store.known.sessions
        return {key: session for key, session in known.items() if session.kind == "session"}

    def _title(self, key: Key | None) -> str:
        session = self._known.get(key) if key is not None else None
        if key is None or session is None:
            return "?"
        where = f"{key.host}:" if len(self.app.store.known.hosts) > 1 else ""
        return f"{where}{session.id} {clean_name(session.name)}"

    def action_other(self) -> None:
        """Choose the session on the left."""
        from barista_tui.screens.choose import Answer, ChooseScreen

        others = [key for key in self._known if key != self._new]
        if not others:
            self.remark("There is no other session to compare it with.")
            return
        marked, parent = self.app.main.sessions.marked, parent_of(self._new, self._known)
        names = [(key, "parent" if key == parent else "marked" if key in marked else "") for key in others]
        names.sort(key=lambda pair: not pair[1])
        answers = [Answer(str(place), self._title(key), note) for place, (key, note) in enumerate(names)]

        def chosen(answer: str | None) -> None:
            if answer is not None:
                self._old = names[int(answer)][0]
                self.action_reload()

        title = f"What tells {self._title(self._new)} from which session?"
        self.app.push_screen(ChooseScreen(title, answers), chosen)

    def action_swap(self) -> None:
        """The other way round."""
        if self._old is not None:
            self._old, self._new = self._new, self._old
            self.action_reload()

    # ---------------------------------------------------------------------------------- what

    def action_reload(self) -> None:
        """Read the files of both, and compare them."""
        workers.begin(self, self._ask, "diff", newest=True)

    async def _ask(self) -> None:
        old, new = self._old, self._new
        if old is None or new is None:
            return
        self._told = None
        self._show("They are being compared ...")
        known, fleet = self._known, self.app.fleet
        try:
            told = await settings_diff(fleet.of(old), known[old], fleet.of(new), known[new])
        except CallFailed as error:
            self.remark(failure_text(error.failure), "$error")
        except LinkError as error:
            self.remark(str(error), "$error")
        except KeyError:
            self.remark("One of them is not there any more.", "$error")
        else:
            self._told = told
            self._show(difftext.counted(told))

    def on_resize(self) -> None:
        self.call_after_refresh(self._paint)

    def _show(self, note: str = "") -> None:
        self.entitle(f"{self._title(self._old)} → {self._title(self._new)}")
        self._note = note
        self._lines = difftext.lines(self._told) if self._told is not None else []
        self._paint()

    def _paint(self) -> None:
        """The lines, in as much room as there is."""
        if not self.is_mounted:
            return
        room = self._room()
        heads = (" " * INDENT + "field", self._title(self._old), self._title(self._new))
        head = "".join(fmt.fit(text, width) for text, width in zip(heads, room, strict=True))
        self.query_one("#diff-head", Static).update(Content(head))
        lines = self.query_one(LineList)
        at = lines.highlighted
        lines.set_options(Option(_content(line, room)) for line in self._lines)
        lines.highlighted = min(at or 0, len(self._lines) - 1) if self._lines else None
        self.remark(self._note)

    def _room(self) -> tuple[int, int, int]:
        """Cells of the three columns; what is too long is told below, of the line of the cursor."""
        fields = [line for line in self._lines if line.kind == "field"]
        # A blank at each side, and the scroll bar.
        all_ = max(30, self.size.width - 4)
        names = INDENT + 1 + max((cell_len(line.name) for line in fields), default=20)
        values = 2 + max((cell_len(text) for line in fields for text in (line.old, line.new)), default=20)
        value = min(max(values, 16), max((all_ - min(names, all_ // 2)) // 2, 8))
        return min(names, all_ - 2 * value), value, value

    @on(OptionList.OptionHighlighted)
    def _line_chosen(self, event: OptionList.OptionHighlighted) -> None:
        line = self._lines[event.option_index] if event.option_index < len(self._lines) else None
        name, value, _ = self._room()
        cut = line is not None and (
            cell_len(line.name) > name - INDENT - 1 or max(cell_len(line.old), cell_len(line.new)) > value - 2
        )
        if line is not None and line.kind == "field" and cut:
            self.remark(f"{line.name}: {line.old or 'nothing'} → {line.new or 'nothing'}")
        else:
            self.remark(self._note)


def _content(line: Line, room: tuple[int, int, int]) -> Content:
    if line.kind == "part":
        return Content.assemble((line.name, "bold $accent"), (f"  {line.note}", "$dim"))
    if line.kind == "layer":
        return Content.assemble((f"  {line.sign} {line.name}", TONES[line.sign]), (f"  {line.note}", "$dim"))
    name, old, new = room
    return Content.assemble(
        " " * INDENT + _end(line.name, name - INDENT - 1) + " ",
        (fmt.fit(line.old, old - 2) + "  ", "$error"),
        (fmt.fit(line.new, new), "$success"),
    )


def _end(text: str, width: int) -> str:
    """The end of a path tells more than its beginning."""
    length = cell_len(text)
    return fmt.fit(text if length <= width else f"…{text[length - width + 1 :]}", width)
