"""What can be done to the host that the manager has chosen: key, word, why not now, and the doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from barista_server.remote.address import AddressError, parse
from barista_tui import format as fmt
from barista_tui import hostlook, managerkeys
from barista_tui.store import Key
from barista_tui.widgets.bar import Piece

if TYPE_CHECKING:
    from barista_server.api.messages import Defaults, DeviceInfo
    from barista_tui.screens.hosts import HostManager

USUAL = f"{'enter':<14} What its state asks for: accept, install, link, connect"
STATES = "\n● alive  ◌ connecting or silent  ✖ not connected  ○ offline\n"


class Deed(NamedTuple):
    """``id`` as in :data:`~barista_tui.managerkeys.HOSTS`; the order is the footer's."""

    id: str
    word: str


DEEDS = (
    Deed("trust", "Accept key"),
    Deed("undo", "Undo"),
    Deed("add", "Add"),
    Deed("rename", "Rename"),
    Deed("remove", "Delete"),
    Deed("retry", "Refresh"),
    Deed("link", "Unlink"),
    Deed("caffes", "Caffes"),
    Deed("install", "Install"),
    Deed("settings", "Defaults"),
    Deed("slots", "At a time"),
    Deed("up", "Up"),
    Deed("down", "Down"),
    Deed("hidden", "Hidden sessions"),
)


class HostWork:
    """Carries out the deeds for the manager."""

    def __init__(self, screen: HostManager) -> None:
        self._screen = screen
        self._deeds = screen.app.host_deeds
        self.keys = screen.app.keymap.keys

    # ---------------------------------------------------------------------------------- why not

    def refused(self, name: str) -> str | None:
        """The reason why it cannot be done to the chosen host now, or None."""
        screen, known = self._screen, self._screen.known
        entry = screen.host.target.host
        match name:
            case "rename" | "remove" | "up" | "down" if entry is None:
                return "this machine is always there, and first"
            case "install" if entry is None:
                return "this machine has the agent already"
            case "install" if not _login(entry.address if entry else ""):
                return "an agent's own port is no login: add the host as ssh knows it, and install there"
            case "trust" if known.link.cause != "key-unknown":
                return "no key waits to be accepted"
            case "undo" if not self._deeds.removed:
                return "nothing was deleted from here"
            case "retry" if known.link.state == "offline":
                return f"{known.name} is offline: {self._word('link')} links it again"
            case "slots" | "settings" if known.role == "viewer":
                return f"you may only look on {known.name}"
            case "slots" if known.alive and not screen.offers.devices:
                return "its devices are not known yet"
            case "settings" if known.alive and screen.offers.defaults is None:
                return "its defaults are not known yet"
            case "caffes" | "slots" | "settings" if not known.alive:
                return f"{known.name} is not connected"
            case "hidden" if not screen.hidden():
                return "all its sessions are shown"
        return None

    def _word(self, name: str) -> str:
        key = next(each for each in managerkeys.HOSTS if each.id == f"hosts-{name}")
        return managerkeys.word(key, self.keys) or "its button"

    def usual(self) -> str:
        """What enter does."""
        link = self._screen.known.link
        if link.state == "offline":
            return "link"
        return {"key-unknown": "trust", "no-agent": "install"}.get(link.cause, "retry")

    def word(self, deed: Deed) -> str:
        """How it reads now."""
        state = self._screen.known.link.state
        if deed.id == "link" and state == "offline":
            return "Link"
        return "Connect" if deed.id == "retry" and state == "lost" else deed.word

    # ---------------------------------------------------------------------------------- doing

    def do(self, name: str) -> None:
        """Raises HostsError, OSError."""
        deeds: dict[str, Callable[[], None]] = {
            "trust": lambda: self._screen.app.trust(self._screen.host.name),
            "undo": self._undo,
            "add": self._add,
            "rename": self._rename,
            "remove": self._remove,
            "retry": self._retry,
            "link": lambda: self._screen.app.toggle_link(self._screen.host.name),
            "install": self._install,
            "up": lambda: self._deeds.move(self._screen.host.name, -1),
            "down": lambda: self._deeds.move(self._screen.host.name, 1),
            "hidden": self._hidden,
            "caffes": self._caffes,
            "slots": self._slots,
            "settings": self._settings,
        }
        deeds[name]()

    def _add(self) -> None:
        from barista_tui.screens.add_host import AddHostScreen

        def added(name: str | None) -> None:
            if name is not None:
                self._screen.choose(name)

        self._screen.app.push_screen(AddHostScreen(), added)

    def _rename(self) -> None:
        from barista_tui.screens.prompt import PromptScreen

        old = self._screen.host.name

        def answered(name: str | None) -> None:
            if name and name != old:
                self._screen.renamed(old, name)

        self._screen.app.push_screen(PromptScreen(f"Rename {old}", old), answered)

    def _remove(self) -> None:
        name, known = self._screen.host.name, self._screen.known
        self._deeds.remove(name)
        stay = f"; its {fmt.plural(len(known.sessions), 'session')} there stay" if known.sessions else ""
        self._screen.say(f"{name} is off the list{stay}. Press u to undo.", "information")

    def _undo(self) -> None:
        name = self._deeds.undo()
        self._screen.say(f"{name} is back", "information")
        self._screen.choose(name)

    def _retry(self) -> None:
        if self._screen.known.alive:
            self._screen.ask_again()
        else:
            self._screen.app.fleet.relink(self._screen.host.name)

    def _hidden(self) -> None:
        from barista_tui.screens.choose import Answer, ChooseScreen

        screen, hidden = self._screen, self._screen.hidden()
        sessions = screen.known.sessions
        answers = [
            Answer(key.session, f"{key.session}  {sessions[key.session].name}") for key in sorted(hidden)
        ]
        name = screen.host.name

        def chosen(id: str | None) -> None:
            if id is not None:
                keys = hidden if id == "all" else frozenset({Key(name, id)})
                screen.app.main.sessions.reveal(keys)
                screen.show_known()

        every = [Answer("all", "all of them")] if len(answers) > 1 else []
        screen.app.push_screen(ChooseScreen(f"Show which session of {name}?", [*every, *answers]), chosen)

    def _caffes(self) -> None:
        from barista_tui.screens.caffes import CaffeManager

        screen = self._screen

        def back(answer: None) -> None:
            screen.ask_again()

        screen.app.push_screen(CaffeManager(screen.host.name), back)

    def _settings(self) -> None:
        from barista_tui.screens.host_settings import HostSettings

        screen, name, defaults = self._screen, self._screen.host.name, self._screen.offers.defaults
        assert defaults is not None, "refused without"

        def saved(answer: Defaults | None) -> None:
            if answer is not None:
                screen.set_defaults(name, answer)

        screen.app.push_screen(HostSettings(screen.host, defaults), saved)

    def _slots(self) -> None:
        from barista_tui.screens.choose import Answer, ChooseScreen

        devices = self._screen.offers.devices or []
        if len(devices) == 1:
            self._ask_slots(devices[0])
            return
        answers = [
            Answer(each.id, hostlook.device_name(each.id), f"{each.slots} at a time, {each.model}")
            for each in devices
        ]

        def chosen(id: str | None) -> None:
            for each in devices:
                if each.id == id:
                    self._ask_slots(each)

        self._screen.app.push_screen(ChooseScreen("How many trainings at a time on which?", answers), chosen)

    def _ask_slots(self, device: DeviceInfo) -> None:
        from barista_tui.screens.prompt import PromptScreen

        screen, name = self._screen, hostlook.device_name(device.id)

        def answered(text: str | None) -> None:
            if text is None:
                return
            if not (text.isascii() and text.isdecimal()):
                screen.say(f"'{text}' is no number: 1 is usual, 0 starts none", "error")
            else:
                screen.ask_agent(screen.set_slots(device.id, int(text)), f"{name} is as it was")

        title = f"How many trainings shall the queue have on {name} at a time?"
        screen.app.push_screen(PromptScreen(title, str(device.slots)), answered)

    def _install(self) -> None:
        from barista_tui.screens.choose import Answer, ChooseScreen

        screen, name = self._screen, self._screen.host.name
        agent = screen.line(screen.host).agent
        there = f"{name} has {agent}; trainings go on" if agent else "about 45 MB below your home there"
        answers = (
            Answer("plain", "Install", there),
            Answer("engine", "Install with the embedded caffe", "takes PyTorch along"),
            Answer("commands", "Show the commands", "nothing is done there"),
        )

        def decided(choice: str | None) -> None:
            if choice == "commands":
                screen.show_commands(name)
            elif choice:
                self._deeds.install(name, choice == "engine")

        screen.app.push_screen(ChooseScreen(f"Install the agent on {name}", answers), decided)


def _login(address: str) -> bool:
    try:
        return parse(address).kind == "ssh"
    except AddressError:
        return False


def footer(work: HostWork) -> tuple[list[Piece], list[Piece]]:
    """Keys of what can be done now, as buttons; help and the way back at the right."""
    chosen = work.keys
    named = {each.id: managerkeys.word(each, chosen) for each in managerkeys.HOSTS}
    left = []
    for deed in DEEDS:
        if work.refused(deed.id) is None:
            left += [
                Piece(f" {named[f'hosts-{deed.id}']} ", "accent", deed.id),
                Piece(f"{work.word(deed)} ", "dim", deed.id),
            ]
    right = [Piece(f" {named['hosts-keys']} ", "accent", "keys"), Piece("Keys ", "dim", "keys")]
    return left, [
        *right,
        Piece(f" {named['hosts-leave']} ", "accent", "leave"),
        Piece("Back ", "dim", "leave"),
    ]
