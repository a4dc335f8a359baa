"""Everything about one session: why it cannot run, its runs, its snapshots; start from any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from barista_server.api.messages import Problem, RunInfo, SessionInfo, State
from barista_server.api.text import clean_name
from barista_tui import format as fmt
from barista_tui.allowed import STARTABLE
from barista_tui.screens.dialog import Dialog
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp

REFRESH = 0.5
"""Seconds between two looks at the session."""


def problem_lines(problem: Problem, tone: str = "$error") -> list[Content]:
    """A reason with its place, and what to do about it."""
    where = problem.file or ""
    if where and problem.line is not None:
        where += f":{problem.line}"
    lines = [Content.assemble((f"{where}  " if where else "", "$dim"), (problem.text, tone))]
    if problem.hint:
        lines.append(Content.assemble(("  → ", "$dim"), (problem.hint, "$foreground")))
    return lines


def run_words(run: RunInfo) -> str:
    """``run 2  14:02:31  5 h 12  from 4000  exit 0``."""
    # A log may be years old.
    day = fmt.date(run.started) + " " if run.ending else ""
    words = [f"run {run.number}", day + fmt.clock(run.started)]
    if run.ended is not None:
        words.append(fmt.duration(run.ended - run.started))
    if run.resumed_from is not None:
        words.append(f"from {'' if day else 'iteration '}{run.resumed_from}")
    if run.ending:
        words.append(fmt.ending(run))
    elif run.signal is not None:
        words.append(f"ended by signal {run.signal}")
    elif run.exit_code is not None:
        words.append(f"exit code {run.exit_code}")
    elif run.ended is None:
        words.append("going on")
    words.append(f"{fmt.count(run.lines)} lines")
    return "  ".join(words)


class DetailsScreen(Dialog[int | None]):
    """Answers the iteration of the snapshot to start from, or None."""

    app: BaristaApp
    BINDINGS = [Binding("escape,q", "dismiss", show=False)]

    def __init__(self, key: Key, session: SessionInfo) -> None:
        super().__init__()
        self._key = key
        self.session = session

    def compose(self) -> ComposeResult:
        session = self.session
        startable = session.state in STARTABLE
        with Vertical(classes="dialog wide", id="details"):
            yield Static(Content(f"{session.id}  {session.name}"), classes="title")
            yield Static(self._facts(), classes="line", id="facts")
            if session.snapshots:
                words = "Snapshots: enter starts from the chosen one" if startable else "Snapshots"
                yield Static(Content.styled(f"\n{words}", "$accent"), classes="line")
                yield OptionList(*self._snapshots(), id="snapshots", compact=True)
            yield Static(Content("esc back"), classes="line dim hint")

    def on_mount(self) -> None:
        self.set_interval(REFRESH, self._renew)

    def _renew(self) -> None:
        """Numbers go on while they are looked at; the list of snapshots stays still under the cursor."""
        session = self.app.store.known.sessions.get(self._key)
        if session is not None and session is not self.session:
            self.session = session
            self.query_one("#facts", Static).update(self._facts())

    def _snapshots(self) -> list[Option]:
        disabled = self.session.state not in STARTABLE
        return [
            Option(
                Content(
                    f"iteration {each.iteration:>8}  {fmt.clock(each.time)}"
                    f"  {fmt.size(each.size):>8}  {each.model}"
                ),
                id=str(each.iteration),
                disabled=disabled,
            )
            for each in reversed(self.session.snapshots)
        ]

    def _facts(self) -> Content:
        session = self.session
        look = fmt.state_look(session)
        now = session.busy or _watched(session)
        facts = [
            ("state", f"{look.glyph} {look.word}" + (f": {now}" if now else "")),
            ("queue", fmt.queue_words(session)),
            ("auto-resume", fmt.resume_words(session)),
            ("progress", f"{session.iteration} of {session.max_iter} iterations" if session.max_iter else ""),
            ("speed", f"{session.speed:.1f} iterations/s" if session.speed else ""),
            ("last values", "  ".join(_values(session))),
            *_place(session),
        ]
        lines = [
            Content.assemble((fmt.fit(name, 12), "$dim"), (text, "$foreground"))
            for name, text in facts
            if text
        ]
        for problem in session.problems:
            lines += [Content(""), *problem_lines(problem)]
        for warning in session.warnings:
            lines += [Content(""), *problem_lines(warning, "$warning")]
        if session.runs:
            lines += [Content(""), Content.styled("Runs", "$accent")]
            lines += [Content(run_words(run)) for run in session.runs[-6:]]
        return Content("\n").join(lines)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_id is not None:
            self.dismiss(int(event.option_id))


def _place(session: SessionInfo) -> list[tuple[str, str]]:
    if session.log is not None:
        size = f"{fmt.size(session.log.size)}, {fmt.plural(session.log.lines, 'line')}"
        return [("log file", clean_name(session.log.path)), ("size", size)]
    return [
        ("caffe", f"{session.caffe} on {session.device}"),
        ("parent", "; from ".join(fmt.lineage_words(session)[:3])),
        ("weights", clean_name(session.weights) if not session.snapshots else ""),
        ("folder", session.folder),
    ]


def _watched(session: SessionInfo) -> str:
    return "watched, not started here" if session.kind == "log" and session.state is State.RUNNING else ""


def _values(session: SessionInfo) -> list[str]:
    loss = [f"train loss {fmt.value(session.loss)}"] if session.loss is not None else []
    return loss + [f"test {name} {fmt.value(number)}" for name, number in session.tests.items()]
