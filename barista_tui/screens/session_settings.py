"""What a session trains with, and when: caffe, device, launcher, auto-resume, queue, in one dialog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Select, Static

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import (
    CaffeList,
    DeviceList,
    GetSlurm,
    ListCaffes,
    ListDevices,
    SessionInfo,
    SessionReply,
    SlurmReport,
)
from barista_server.api.text import clean_name
from barista_tui import choosing
from barista_tui import format as fmt
from barista_tui.allowed import can_queue
from barista_tui.choosing import Choices, Wish
from barista_tui.commands import failure_text
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp

SLURM = {
    "partition": "as Slurm has it",
    "gres": "gpu:1, gpu:a100:2",
    "time": "minutes, HH:MM:SS, DAYS-HH",
    "cpus": "processors",
    "memory": "16G",
    "account": "",
    "arguments": "of sbatch, as --qos=long",
}
"""Fields of a job, with what stands in the empty ones."""
RENEW = 1.0
"""Seconds between two looks whether it still is what it was."""


class SessionSettings(ModalScreen[None]):
    """About the selected session. What cannot be changed now is dim, and the reason is told."""

    app: BaristaApp
    DEFAULT_CSS = """
    SessionSettings #session-settings { overflow-y: auto; scrollbar-size-vertical: 1; }
    SessionSettings #fields.-no-slurm .slurm, SessionSettings #fields.-no-queue .queue,
    SessionSettings #fields.-no-after .after, SessionSettings #fields.-no-others .others { display: none; }
    SessionSettings #reasons { height: auto; margin-top: 1; }
    SessionSettings #reasons.-none, SessionSettings #error.-none { display: none; }
    """
    BINDINGS = [Binding("escape", "dismiss", show=False), Binding("ctrl+s", "save", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._busy = False
        self._slurm_problem = ""

    def compose(self) -> ComposeResult:
        main = self.app.main
        assert main.session is not None, "the action table lets no session action through without one"
        self._session: SessionInfo = main.session
        self._key = Key(main.host_name, main.session.id)
        wish = choosing.wish_of(self._session)
        texts = choosing.texts_of(wish.slurm)
        title = f"Settings of {self._session.id} {clean_name(self._session.name)}"
        with Vertical(classes="dialog wide", id="session-settings"):
            yield Static(Content(title), classes="title")
            with Grid(id="fields"):
                caffes = choosing.caffe_choices([], wish.caffe)
                yield from _labelled("caffe", _drop(caffes, wish.caffe, "caffe"))
                devices = choosing.device_choices([], wish.device)
                yield from _labelled("device", _drop(devices, wish.device, "device"))
                numbers = Input(wish.device, id="devices", placeholder="0,1", compact=True, classes="others")
                yield from _labelled("devices", numbers, "others")
                launchers = choosing.launcher_choices(self._key.host, False, wish.launcher)
                yield from _labelled("runs as", _drop(launchers, wish.launcher, "launcher"))
                for name, hint in SLURM.items():
                    field = Input(texts[name], placeholder=hint, id=name, compact=True, classes="slurm")
                    yield from _labelled(name, field, "slurm")
                resumes = _drop(list(choosing.RESUMES), wish.auto_resume, "auto-resume")
                yield from _labelled("auto-resume", resumes)
                queue = [("no", ""), ("waits for room on its device", "yes")]
                yield from _labelled("queue", _drop(queue, "yes" if wish.queued else "", "queue"))
                priority = Input(str(wish.priority), id="priority", compact=True, classes="queue")
                yield from _labelled("priority", priority, "queue")
                afters = choosing.after_choices(self._others(), self._key.session, wish.after)
                yield from _labelled("start after", _drop(afters, wish.after, "after", "queue"), "queue")
                ends = _drop(choosing.ENDS, "any" if wish.after_any else "", "after-any", "queue after")
                yield from _labelled("once that", ends, "queue after")
            yield Static(id="reasons", classes="line dim")
            yield Static(id="error", classes="line -none")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Save ^s", id="save", variant="primary", compact=True)

    def on_mount(self) -> None:
        self._show_frozen()
        self.set_interval(RENEW, self._renew)
        self.run_worker(self._ask_host(), exit_on_error=False)
        first = next((each for each in self.query("Select, Input") if not each.disabled), None)
        if first is not None:
            first.focus()

    def _others(self) -> list[SessionInfo]:
        return list(self.app.store.known.host(self._key.host).sessions.values())

    # ---------------------------------------------------------------------------------- what there is

    async def _ask_host(self) -> None:
        host = self.app.fleet.of(self._key)

        async def caffes() -> None:
            found = (await host.call(ListCaffes(), CaffeList)).caffes
            self._offer("caffe", lambda now: choosing.caffe_choices(found, now))

        async def devices() -> None:
            found = (await host.call(ListDevices(), DeviceList)).devices
            self._offer("device", lambda now: choosing.device_choices(found, now))

        async def slurm() -> None:
            report = await host.call(GetSlurm(), SlurmReport)
            self._slurm_problem = report.problem
            there = not report.problem
            self._offer("launcher", lambda now: choosing.launcher_choices(self._key.host, there, now))
            names = list(dict.fromkeys(each.name for each in report.partitions))
            self.query_one("#partition", Input).suggester = SuggestFromList(names)

        await asyncio.gather(*(self._asked(each) for each in (caffes, devices, slurm)))

    async def _asked(self, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await ask()
        except LinkError as error:
            self._tell(str(error))
        except CallFailed as error:
            # An older agent knows no Slurm.
            if error.failure.code != "unknown":
                self._tell(failure_text(error.failure))
        self._show_frozen()

    def _offer(self, id: str, choices: Callable[[str], Choices]) -> None:
        """What can be chosen, now that it is known; what is chosen stays."""
        select = self._select(id)
        now = str(select.value)
        with select.prevent(Select.Changed):
            # Otherwise the words of what is chosen stay those of before.
            select.set_options([("", "?")])
            select.set_options(choices(now if now != choosing.OTHERS else ""))
            select.value = now

    def _select(self, id: str) -> Select[str]:
        return cast("Select[str]", self.query_one(f"#{id}", Select))

    # ---------------------------------------------------------------------------------- what can be changed

    def _renew(self) -> None:
        """It may have been started, or have come to its end, meanwhile; what was typed stays."""
        session = self.app.store.known.sessions.get(self._key)
        if session is None:
            self.dismiss()
        elif session.state is not self._session.state:
            self._session = session
            self._show_frozen()

    def _show_frozen(self) -> None:
        still = choosing.frozen(self._session)
        context = self.app.main.context()
        no_queue = choosing.queue_frozen(self._session, can_queue(context))
        for id in ("caffe", "device", "devices", "launcher", *SLURM):
            self.query_one(f"#{id}").disabled = still is not None
        for id in ("queue", "priority", "after", "after-any"):
            self.query_one(f"#{id}").disabled = no_queue is not None
        reasons = [still]
        if no_queue is not None and still is None:
            reasons.append(f"the queue: {no_queue}")
        if self._slurm_problem and still is None:
            reasons.append(fmt.fit(f"no jobs: {clean_name(self._slurm_problem)}", 68).rstrip())
        self._put("reasons", "\n".join(filter(None, reasons)), "$dim")
        self._show_rows()

    def _show_rows(self) -> None:
        """Fields that mean something with what is chosen now."""
        fields = self.query_one("#fields")
        fields.set_class(self._select("launcher").value != "slurm", "-no-slurm")
        fields.set_class(self._select("device").value != choosing.OTHERS, "-no-others")
        queued = self._select("queue").value == "yes"
        fields.set_class(not queued, "-no-queue")
        fields.set_class(not (queued and self._select("after").value), "-no-after")

    @on(Select.Changed)
    def _chosen(self) -> None:
        self._show_rows()

    # ---------------------------------------------------------------------------------- saving

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss()

    @on(Button.Pressed, "#save")
    @on(Input.Submitted)
    def _save_pressed(self) -> None:
        self.action_save()

    def action_save(self) -> None:
        """Ask the agent for what differs; what is wrong is told here, and nothing that was typed is lost."""
        if self._busy:
            return
        try:
            wish = self._wish()
        except ValueError as error:
            self._tell(str(error))
            return
        self._busy = True
        self._tell("")
        self.run_worker(self._save(wish), exit_on_error=False)

    def _wish(self) -> Wish:
        """Raises ValueError with what is wrong."""

        def text(id: str) -> str:
            return self.query_one(f"#{id}", Input).value.strip()

        def value(id: str) -> str:
            chosen = self._select(id).value
            return chosen if isinstance(chosen, str) else ""

        try:
            priority = int(text("priority") or 0)
        except ValueError:
            raise ValueError(f"'{text('priority')}' is no priority: a number, higher goes first") from None
        return Wish(
            value("caffe"),
            text("devices") if value("device") == choosing.OTHERS else value("device"),
            "slurm" if value("launcher") == "slurm" else "process",
            choosing.options_of({name: text(name) for name in SLURM}),
            next(one for _, one in choosing.RESUMES if one == value("auto-resume")),
            value("queue") == "yes",
            priority,
            value("after"),
            value("after-any") == "any",
        )

    async def _save(self, wish: Wish) -> None:
        host = self.app.fleet.of(self._key)
        told = False
        try:
            for decide in (choosing.configure, choosing.queueing):
                call = decide(self._session, wish)
                if call is not None and not (decide is choosing.queueing and self._select("queue").disabled):
                    self._session = (await host.call(call, SessionReply)).session
                    self.app.store.changed_session(self._key.host, self._session)
                    told = True
        except CallFailed as error:
            self._refused(error)
        except LinkError as error:
            self._tell(str(error))
        else:
            if told:
                self.app.main.say(choosing.said(self._session), "information")
            self.dismiss()
        finally:
            self._busy = False

    def _refused(self, error: CallFailed) -> None:
        text = failure_text(error.failure)
        if error.failure.code == "changed":
            self._session = self.app.store.known.sessions.get(self._key, self._session)
            self._show_frozen()
            text += "\n^s saves what stands here all the same."
        self._tell(text)

    def _tell(self, text: str) -> None:
        self._put("error", text, "$error")

    def _put(self, id: str, text: str, tone: str) -> None:
        """Where nothing is said, there is no line."""
        static = self.query_one(f"#{id}", Static)
        static.update(Content.styled(text, tone))
        static.set_class(not text, "-none")


def _labelled(name: str, field: Input | Select[str] | Static, classes: str = "") -> ComposeResult:
    yield Static(Content(name), classes=f"label {classes}")
    yield field


def _drop(choices: Choices, value: str, id: str, classes: str = "") -> Select[str]:
    return Select(choices, value=value, allow_blank=False, id=id, classes=classes, compact=True)
