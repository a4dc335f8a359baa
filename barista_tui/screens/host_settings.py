"""What new sessions on a host get: caffe, device, launcher, and what their jobs ask for."""

from __future__ import annotations

from barista_server.api.messages import CaffeInfo, Defaults
from barista_tui import choosing
from barista_tui.choosing import Choices, Wish
from barista_tui.host import Host
from barista_tui.screens.training import TrainingScreen


class HostSettings(TrainingScreen[Defaults | None]):
    """Answers what holds after a change, or None."""

    def __init__(self, host: Host, defaults: Defaults) -> None:
        super().__init__()
        self._of, self._defaults = host, defaults

    def start(self) -> tuple[str, Host, Wish]:
        return f"New sessions on {self._of.name} get", self._of, choosing.wish_of_defaults(self._defaults)

    def caffe_choices(self, found: list[CaffeInfo], now: str) -> Choices:
        return [("the first that trains", ""), *choosing.caffe_choices(found, now)]

    async def save(self, wish: Wish) -> None:
        call = choosing.set_defaults(self._defaults, wish)
        self.dismiss(await self.host.call(call, Defaults) if call is not None else None)
