"""What the plot shows: sessions and logs by marks, metrics by phase. What is chosen is there at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from barista_server.api.messages import SeriesKey
from barista_tui import format as fmt
from barista_tui import rows
from barista_tui.export import phase_name
from barista_tui.keymap import move
from barista_tui.plotting.curves import chosen_keys, labels_of, text_of
from barista_tui.screens.dialog import Dialog
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp

LOOK = 0.25
"""Seconds between two looks whether the metrics of a session have come."""
BESIDE = 88
"""Columns from which the lists stand side by side."""

Line = tuple[str, Content, bool]
"""A name, what stands there, whether it is chosen."""


class Checks(OptionList):
    """Lines with a box before them that space or enter checks."""

    BINDINGS = [
        move("move-up", "cursor_up"),
        move("move-down", "cursor_down"),
        move("first", "first"),
        move("last", "last"),
        Binding("space", "select", show=False),
    ]

    def show(self, lines: Sequence[Line]) -> None:
        """Replace the lines; the cursor stays in its place."""
        place = self.highlighted or 0
        boxes = {True: ("☑ ", "$accent"), False: ("☐ ", "$dim")}
        self.clear_options()
        self.add_options(
            Option(Content.assemble(boxes[chosen], words), id=name) for name, words, chosen in lines
        )
        self.highlighted = min(place, len(lines) - 1) if lines else None


class PlotChooser(Dialog[None]):
    """Two lists."""

    BINDINGS = [Binding("escape,a,q", "dismiss", show=False)]
    app: BaristaApp

    DEFAULT_CSS = """
    PlotChooser #lists { height: auto; }
    PlotChooser .column { width: 1fr; height: auto; }
    PlotChooser Checks {
        height: auto; max-height: 16; border: none; padding: 0; background: $surface;
        background-tint: $foreground 0%; text-wrap: nowrap; text-overflow: ellipsis;
    }
    PlotChooser.-narrow Checks { max-height: 6; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: list[SeriesKey] = []
        self._sessions = Checks(id="sessions-of-plot", compact=True)
        self._metrics = Checks(id="metrics-of-plot", compact=True)

    def compose(self) -> ComposeResult:
        narrow = self.app.size.width < BESIDE
        self.set_class(narrow, "-narrow")
        columns: Callable[..., Vertical | Horizontal] = Vertical if narrow else Horizontal
        with Vertical(classes="dialog wide", id="plot-chooser"):
            yield Static(Content("Plot"), classes="title")
            with columns(id="lists"):
                with Vertical(classes="column"):
                    yield Static(Content("Metrics"), classes="line dim")
                    yield self._metrics
                with Vertical(classes="column"):
                    yield Static(Content("Sessions and logs, beside the selected one"), classes="line dim")
                    yield self._sessions
            yield Static(
                Content("space chooses, tab: the other list, esc leaves; i in the list adds a log file"),
                classes="line dim hint",
            )

    def on_mount(self) -> None:
        marked, known = self.app.main.sessions.marked, self.app.store.known.sessions
        self._order = sorted(known, key=lambda key: (key not in marked, key.host, rows.natural(key.session)))
        self._show_sessions()
        self._show_metrics()
        self.set_interval(LOOK, self._look)
        self._metrics.focus()

    def _look(self) -> None:
        if self.app.main.plot.known != self._known:
            self._show_metrics()

    def _show_sessions(self) -> None:
        main, known = self.app.main, self.app.store.known.sessions
        several = len({key.host for key in known}) > 1
        lines: list[Line] = []
        for key in self._order:
            if (session := known.get(key)) is None:
                continue
            glyph = f"{rows.LOG_GLYPH} " if session.kind == "log" else ""
            host = f"  {key.host}" if several else ""
            words = f"{session.id:>3} {glyph}{session.name}{host}  "
            look = (f"{fmt.STATES[session.state].glyph}", "$dim")
            here = ("  selected", "$accent") if key == main.key else ""
            lines.append((str(key), Content.assemble(words, look, here), key in main.sessions.marked))
        self._sessions.show(lines)

    def _show_metrics(self) -> None:
        plot = self.app.main.plot
        self._known = plot.known
        chosen, labels = set(chosen_keys(self._known, plot.choice)), labels_of(self._known)
        lines: list[Line] = []
        for key in self._ordered():
            name = labels[key].removeprefix("train ")
            if key.phase == "test":
                name = name.partition(" ")[2].removeprefix(f"#{key.net} ")
            lines.append(
                (text_of(key), Content.assemble((f"{phase_name(key):<6} ", "$dim"), name), key in chosen)
            )
        self._metrics.show(lines)

    def _ordered(self) -> list[SeriesKey]:
        return sorted(self._known, key=lambda key: (phase_name(key) != "TRAIN", key.net, key.output))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Check it, or take the check away."""
        event.stop()
        name = event.option_id or ""
        if event.option_list is self._sessions:
            self.app.main.sessions.toggle_mark(Key.of(name))
            self._show_sessions()
        else:
            key = next(each for each in self._known if text_of(each) == name)
            self.app.main.plot.toggle_metric(key)
            self._show_metrics()
