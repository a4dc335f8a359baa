"""A host's devices to choose from, or others typed as caffe's --gpu takes them."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Select

from barista_server.api.messages import DeviceList, ListDevices
from barista_tui import choosing
from barista_tui.host import Host


class DevicePick(Horizontal):
    """``value``: what is chosen, empty: the host's default."""

    DEFAULT_CSS = """
    DevicePick { height: 1; }
    DevicePick.-wrong Input, DevicePick.-wrong SelectCurrent { background: $error 30%; }
    DevicePick Select { width: 1fr; }
    DevicePick Input { width: 16; display: none; margin-left: 1; }
    DevicePick.-others Input { display: block; }
    """

    def __init__(self, value: str = "") -> None:
        super().__init__(id="device")
        self._wanted = value
        self._pick = Select[str](self._choices(), prompt="the host's default", compact=True)
        self._typed = Input(value, placeholder="0,1", compact=True)

    def compose(self) -> ComposeResult:
        yield self._pick
        yield self._typed

    def on_mount(self) -> None:
        if self._wanted:
            self._pick.value = self._wanted

    def _choices(self) -> choosing.Choices:
        return choosing.device_choices([], self._wanted)

    async def ask(self, host: Host, default: str = "") -> None:
        """Offer what is there; ``default`` is chosen unless the person was faster.

        Raises CallFailed, LinkError.
        """
        found = (await host.call(ListDevices(), DeviceList)).devices
        now = self.value or default
        others = self._pick.value == choosing.OTHERS
        self._pick.set_options(choosing.device_choices(found, now))
        if now:
            self._pick.value = choosing.OTHERS if others else now

    @property
    def value(self) -> str:
        """As the agent takes it."""
        chosen = self._pick.value
        if chosen == choosing.OTHERS:
            return self._typed.value.strip()
        return chosen if isinstance(chosen, str) else ""

    def type(self, text: str) -> None:
        """Choose others, and this of them."""
        self._pick.value, self._typed.value = choosing.OTHERS, text

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        self.set_class(event.value == choosing.OTHERS, "-others")

    def focus(self, scroll_visible: bool = True) -> DevicePick:
        """What can be typed or chosen in."""
        (self._typed if self.has_class("-others") else self._pick).focus(scroll_visible)
        return self
