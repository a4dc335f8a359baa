"""What trainings are started with: the fields that sessions and the defaults of hosts have in common."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Select, Static

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import (
    CaffeInfo,
    CaffeList,
    DeviceList,
    GetSlurm,
    ListCaffes,
    ListDevices,
    SlurmReport,
)
from barista_server.api.text import clean_name
from barista_tui import choosing, workers
from barista_tui import format as fmt
from barista_tui.choosing import Choices, Wish
from barista_tui.commands import failure_text
from barista_tui.host import Host
from barista_tui.screens.dialog import Dialog

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
T = TypeVar("T")


class TrainingScreen(Dialog[T], Generic[T]):
    """Caffe, device, launcher and what a job asks for. What is wrong is told here; nothing typed is lost."""

    app: BaristaApp
    DEFAULT_CSS = """
    TrainingScreen #training { overflow-y: auto; scrollbar-size-vertical: 1; }
    TrainingScreen #fields.-no-slurm .slurm, TrainingScreen #fields.-no-others .others { display: none; }
    TrainingScreen #reasons { height: auto; margin-top: 1; }
    TrainingScreen #reasons.-none, TrainingScreen #error.-none { display: none; }
    """
    BINDINGS = [Binding("escape", "dismiss", show=False), Binding("ctrl+s", "save", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._busy = False
        self.slurm_problem = ""
        """Why there can be no jobs."""

    # ---------------------------------------------------------------------------------- of each kind

    @abstractmethod
    def start(self) -> tuple[str, Host, Wish]:
        """Title, the host to ask, and what holds now; called once, before anything is shown."""

    def more_fields(self, wish: Wish) -> ComposeResult:
        """Those below."""
        yield from ()

    def caffe_choices(self, found: list[CaffeInfo], now: str) -> Choices:
        """What can be chosen of the builds there."""
        return choosing.caffe_choices(found, now)

    def reasons(self) -> list[str]:
        """Why some of it cannot be chosen now; disables those fields."""
        return []

    @abstractmethod
    async def save(self, wish: Wish) -> None:
        """Ask the agent for it, then dismiss. CallFailed and LinkError are told."""

    # ---------------------------------------------------------------------------------- composition

    def compose(self) -> ComposeResult:
        title, self.host, wish = self.start()
        texts = choosing.texts_of(wish.slurm)
        with Vertical(classes="dialog wide", id="training"):
            yield Static(Content(title), classes="title")
            with Grid(id="fields"):
                yield from labelled("caffe", drop(self.caffe_choices([], wish.caffe), wish.caffe, "caffe"))
                devices = choosing.device_choices([], wish.device)
                yield from labelled("device", drop(devices, wish.device, "device"))
                numbers = Input(wish.device, id="devices", placeholder="0,1", compact=True, classes="others")
                yield from labelled("devices", numbers, "others")
                launchers = choosing.launcher_choices(self.host.name, False, wish.launcher)
                yield from labelled("runs as", drop(launchers, wish.launcher, "launcher"))
                for name, hint in SLURM.items():
                    field = Input(texts[name], placeholder=hint, id=name, compact=True, classes="slurm")
                    yield from labelled(name, field, "slurm")
                yield from self.more_fields(wish)
            yield Static(id="reasons", classes="line dim")
            yield Static(id="error", classes="line -none")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Save ^s", id="save", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.show_frozen()
        workers.begin(self, self._ask_host)
        first = next((each for each in self.query("Select, Input") if not each.disabled), None)
        if first is not None:
            first.focus()

    # ---------------------------------------------------------------------------------- what there is

    async def _ask_host(self) -> None:
        async def caffes() -> None:
            found = (await self.host.call(ListCaffes(), CaffeList)).caffes
            self._offer("caffe", lambda now: self.caffe_choices(found, now))

        async def devices() -> None:
            found = (await self.host.call(ListDevices(), DeviceList)).devices
            self._offer("device", lambda now: choosing.device_choices(found, now))

        async def slurm() -> None:
            report = await self.host.call(GetSlurm(), SlurmReport)
            self.slurm_problem, there = report.problem, not report.problem
            self._offer("launcher", lambda now: choosing.launcher_choices(self.host.name, there, now))
            names = list(dict.fromkeys(each.name for each in report.partitions))
            self.query_one("#partition", Input).suggester = SuggestFromList(names)

        await asyncio.gather(*(self._asked(each) for each in (caffes, devices, slurm)))

    async def _asked(self, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await ask()
        except LinkError as error:
            self.tell(str(error))
        except CallFailed as error:
            # An older agent knows no Slurm.
            if error.failure.code != "unknown":
                self.tell(failure_text(error.failure))
        self.show_frozen()

    def _offer(self, id: str, choices: Callable[[str], Choices]) -> None:
        """What can be chosen, now that it is known; what is chosen stays."""
        select = self.select(id)
        now = str(select.value)
        with select.prevent(Select.Changed):
            # Otherwise the words of what is chosen stay those of before.
            select.set_options([("", "?")])
            select.set_options(choices(now if now != choosing.OTHERS else ""))
            select.value = now

    def select(self, id: str) -> Select[str]:
        """A drop-down."""
        return cast("Select[str]", self.query_one(f"#{id}", Select))

    def show_frozen(self) -> None:
        """Make what cannot be chosen now dim, and tell why."""
        why = self.reasons()
        if self.slurm_problem and not self.select("launcher").disabled:
            why.append(fmt.fit(f"no jobs: {clean_name(self.slurm_problem)}", 68).rstrip())
        self._put("reasons", "\n".join(why), "$dim")
        self.show_rows()

    def show_rows(self) -> None:
        """Fields that mean something with what is chosen now."""
        fields = self.query_one("#fields")
        fields.set_class(self.select("launcher").value != "slurm", "-no-slurm")
        fields.set_class(self.select("device").value != choosing.OTHERS, "-no-others")

    @on(Select.Changed)
    def _chosen(self) -> None:
        self.show_rows()

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
            wish = self.wish()
        except ValueError as error:
            self.tell(str(error))
            return
        self._busy = True
        self.tell("")
        workers.begin(self, partial(self._guarded, wish))

    def text(self, id: str) -> str:
        """What stands in a field."""
        return self.query_one(f"#{id}", Input).value.strip()

    def value(self, id: str) -> str:
        """What is chosen of a drop-down."""
        chosen = self.select(id).value
        return chosen if isinstance(chosen, str) else ""

    def wish(self) -> Wish:
        """What stands here. Raises ValueError with what is wrong."""
        return Wish(
            self.value("caffe"),
            self.text("devices") if self.value("device") == choosing.OTHERS else self.value("device"),
            "slurm" if self.value("launcher") == "slurm" else "process",
            choosing.options_of({name: self.text(name) for name in SLURM}),
        )

    async def _guarded(self, wish: Wish) -> None:
        try:
            await self.save(wish)
        except CallFailed as error:
            self.refused(error)
        except LinkError as error:
            self.tell(str(error))
        finally:
            self._busy = False

    def refused(self, error: CallFailed) -> None:
        """The agent says no."""
        self.tell(failure_text(error.failure))

    def tell(self, text: str) -> None:
        """What is wrong."""
        self._put("error", text, "$error")

    def _put(self, id: str, text: str, tone: str) -> None:
        """Where nothing is said, there is no line."""
        static = self.query_one(f"#{id}", Static)
        static.update(Content.styled(text, tone))
        static.set_class(not text, "-none")


def labelled(name: str, field: Input | Select[str], classes: str = "") -> ComposeResult:
    """A field and its name; ``classes``: of both."""
    yield Static(Content(name), classes=f"label {classes}")
    yield field


def drop(choices: Choices, value: str, id: str, classes: str = "") -> Select[str]:
    """A drop-down in which something is always chosen."""
    return Select(choices, value=value, allow_blank=False, id=id, classes=classes, compact=True)
