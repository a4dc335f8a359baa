"""The caffe builds of a host: what each is, which one new sessions get; add, rename, take off, try again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from barista_server.api.messages import (
    AddCaffe,
    CaffeInfo,
    CaffeList,
    Call,
    CheckCaffes,
    Defaults,
    GetDefaults,
    ListCaffes,
    RemoveCaffe,
    RenameCaffe,
    SetDefaults,
)
from barista_server.api.text import clean_name
from barista_tui import caffelook, managerkeys
from barista_tui import format as fmt
from barista_tui.caffelook import Look
from barista_tui.host import Host
from barista_tui.keymap import move
from barista_tui.screens.acting import ActingScreen
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.tray import Tray


class Builds(OptionList):
    """One line a build."""

    BINDINGS = [
        move("move-up", "cursor_up"),
        move("move-down", "cursor_down"),
        move("first", "first"),
        move("last", "last"),
    ]


class CaffeManager(ActingScreen):
    """Of ``host``; without one, of the host that the main screen means. Those never tried are, at once."""

    AUTO_FOCUS = "#builds"
    DEFAULT_CSS = """
    CaffeManager #builds {
        height: auto; max-height: 50%; border: none; padding: 0; background: $background;
        background-tint: $foreground 0%; text-wrap: nowrap; scrollbar-size-vertical: 1;
    }
    CaffeManager #build-details { height: 1fr; padding: 1 1 0 2; scrollbar-size-vertical: 1; }
    CaffeManager #build-details Static { height: auto; width: 1fr; }
    CaffeManager #build-rights { margin-top: 1; }
    """
    BINDINGS = managerkeys.bindings(managerkeys.CAFFES)

    def __init__(self, host: str = "") -> None:
        super().__init__()
        self._wanted = host
        self._found: list[CaffeInfo] | None = None
        self._default = ""
        self._trying: frozenset[str] = frozenset()
        self._removed: list[tuple[int, CaffeInfo]] = []
        """What was taken off from here, with its place among those that were added."""
        self._rows: list[Content] = []
        self._asked = ""
        """Epoch of the agent that was asked."""

    def compose(self) -> ComposeResult:
        yield Bar(id="header")
        yield Bar(id="build-titles")
        yield Builds(id="builds", compact=True)
        with VerticalScroll(id="build-details"):
            yield Static(id="build-facts")
            yield Static(id="build-rights")
        yield Tray(id="tray")
        yield Bar(id="footer")

    def on_mount(self) -> None:
        self._host_name = self._wanted or self.app.main.host_name
        self.call_after_refresh(self.show_known)
        self.set_interval(1.0, self.show_known)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_known)

    # ---------------------------------------------------------------------------------- what is known

    @property
    def host(self) -> Host:
        """The one it is about."""
        return self.app.fleet[self._host_name]

    @property
    def chosen(self) -> CaffeInfo | None:
        """The build under the cursor."""
        place = self.query_one(Builds).highlighted
        return self._found[place] if self._found and place is not None and place < len(self._found) else None

    def look(self) -> Look:
        """What decides how builds read, and what can be done to them."""
        known, welcome = self.app.store.known.host(self._host_name), self.host.welcome
        return Look(
            default=self._default,
            trying=self._trying,
            sessions=tuple(known.sessions.values()),
            alive=known.alive,
            viewer=known.role == "viewer",
            admin=welcome is not None and welcome.admin,
        )

    def show_known(self) -> None:
        if not self.is_attached or not hasattr(self, "_host_name"):
            return
        if self._host_name not in self.app.fleet:
            self.dismiss()
            return
        known = self.app.store.known
        self.query_one(Tray).show(self.app.works.lines(known, self.app.main.stop_hashing))
        host = known.host(self._host_name)
        if host.alive and host.epoch != self._asked:
            self._asked = host.epoch
            self.ask_agent(self._ask(), f"The builds of {self._host_name} are not known")
        self._show_list()
        self._show_chosen()

    def _show_list(self) -> None:
        look, now, builds = self.look(), self.app.now(), self.query_one(Builds)
        width = max(20, builds.size.width)
        found = self._found or []
        usable = sum(each.problem is None for each in found)
        self.query_one("#header", Bar).show(
            [Piece(" Barista ", "accent", bold=True), Piece(f" Caffe builds of {self._host_name} ", "text")],
            [Piece(f"{usable} of {len(found)} usable " if found else "asking … ", "dim")],
        )
        self.query_one("#build-titles", Bar).show([Piece(caffelook.heading(width), "dim")])
        rows = [caffelook.row(each, look, now, width) for each in found]
        if len(rows) != len(self._rows):
            place = builds.highlighted or 0
            with builds.prevent(OptionList.OptionHighlighted):
                builds.clear_options()
                builds.add_options([Option(row) for row in rows])
                builds.highlighted = min(place, len(rows) - 1) if rows else None
        else:
            for place, (row, old) in enumerate(zip(rows, self._rows, strict=True)):
                if row != old:
                    builds.replace_option_prompt_at_index(place, row)
        self._rows = rows

    def _show_chosen(self) -> None:
        look, one = self.look(), self.chosen
        facts: Content | str = ""
        if one is not None:
            facts = caffelook.details(one, look, self.app.now())
        elif not look.alive:
            facts = Content.styled(
                self.host.link_state.detail or f"{self._host_name} is not connected", "$error"
            )
        self.query_one("#build-facts", Static).update(facts)
        rights = caffelook.refused("add", one, look, self._host_name) if look.alive else None
        self.query_one("#build-rights", Static).update(Content.styled(rights or "", "$dim"))
        self.query_one("#footer", Bar).show(*self._footer(look, one))

    def _footer(self, look: Look, one: CaffeInfo | None) -> tuple[list[Piece], list[Piece]]:
        """Keys of what can be done now, as buttons."""
        keys = self.app.keymap.keys
        left: list[Piece] = []
        right: list[Piece] = []
        for each in managerkeys.CAFFES:
            name = each.id.removeprefix("caffes-")
            end = name in ("keys", "leave")
            if not each.label or not (end or self._refused(name, look, one) is None):
                continue
            undoes = name == "default" and one is not None and one.name == self._default
            (right if end else left).extend(
                [
                    Piece(f" {managerkeys.word(each, keys)} ", "accent", name),
                    Piece(f"{'No default' if undoes else each.label} ", "dim", name),
                ]
            )
        return left, right

    def _refused(self, deed: str, look: Look, one: CaffeInfo | None) -> str | None:
        refused = caffelook.refused(deed, one, look, self._host_name)
        if refused is None and deed == "undo" and not self._removed:
            return "nothing was taken off from here"
        return refused

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        self._show_chosen()

    # ---------------------------------------------------------------------------------- what the host says

    def _take(self, found: list[CaffeInfo], want: str = "") -> None:
        """A newer list; the cursor stays on its build, or goes to the one that is wanted."""
        name = want or (self.chosen.name if self.chosen is not None else "")
        self._found = found
        self._show_list()
        names = [each.name for each in found]
        if name in names:
            self.query_one(Builds).highlighted = names.index(name)
        self.show_known()

    async def _ask(self) -> None:
        self._take((await self.host.call(ListCaffes(), CaffeList)).caffes)
        self._default = (await self.host.call(GetDefaults(), Defaults)).caffe
        look = self.look()
        if not look.viewer:
            fresh = [each for each in self._found or [] if each.checked is None and each.problem is None]
            await self._try(fresh, again=False)

    async def _try(self, builds: Sequence[CaffeInfo], again: bool) -> None:
        """Each by itself, so that what is found out is seen as it comes."""
        names = [each.name for each in builds if each.name not in self._trying]
        if not names:
            return
        work = self.app.works.begin(_trying_words(names, self._host_name), len(names), "things")
        left = set(names)
        self._trying |= left
        self.show_known()

        async def one(name: str) -> None:
            try:
                call = CheckCaffes(names=[name], again=again)
                found = (await self.host.call(call, CaffeList)).caffes
            finally:
                left.discard(name)
                self._trying -= {name}
                work.advance(len(names) - len(left))
            if self.is_attached:
                self._take(found)

        try:
            ended = await asyncio.gather(*map(one, names), return_exceptions=True)
        finally:
            work.end()
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    # ---------------------------------------------------------------------------------- deeds

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_act("default")

    @on(Bar.Pressed)
    def _pressed(self, event: Bar.Pressed) -> None:
        if event.action == "leave":
            self.action_leave()
        elif event.action == "keys":
            self.action_keys()
        elif event.action:
            self.action_act(event.action)

    def action_act(self, deed: str) -> None:
        """One of the deeds, or why not."""
        one = self.chosen
        if refused := self._refused(deed, self.look(), one):
            self.say(refused, "warning")
            return
        match deed, one:
            case "add", _:
                self._add()
            case "undo", _:
                self.ask_agent(self._undo(), "It was not put back")
            case "try-all", _:
                self.ask_agent(self._try(self._found or [], again=True), "Not all were tried")
            case "try", CaffeInfo():
                self.ask_agent(self._try([one], again=True), f"{clean_name(one.name)} was not tried")
            case "default", CaffeInfo():
                self.ask_agent(self._set_default(one), "The default is as it was")
            case "rename", CaffeInfo():
                self._rename(one)
            case "remove", CaffeInfo():
                self.ask_agent(self._remove(one), f"{clean_name(one.name)} is still on the list")
        self.show_known()

    def _add(self) -> None:
        from barista_tui.screens.add_caffe import AddCaffeScreen

        def added(answer: tuple[str, list[CaffeInfo]] | None) -> None:
            if answer is not None:
                name, found = answer
                self._take(found, name)
                self.say(f"{name} can be chosen for sessions of {self._host_name} now", "information")

        self.app.push_screen(AddCaffeScreen(self.host), added)

    def _rename(self, one: CaffeInfo) -> None:
        from barista_tui.screens.prompt import PromptScreen

        def answered(name: str | None) -> None:
            if name and name != one.name:
                call = RenameCaffe(name=one.name, to=name)
                self.ask_agent(self._change(call, name), f"{clean_name(one.name)} was not renamed")

        self.app.push_screen(PromptScreen(f"Rename {clean_name(one.name)}", one.name), answered)

    async def _change(self, call: Call, want: str = "") -> None:
        self._take((await self.host.call(call, CaffeList)).caffes, want)
        self._default = (await self.host.call(GetDefaults(), Defaults)).caffe

    async def _remove(self, one: CaffeInfo) -> None:
        added = [each.name for each in self._found or [] if each.source == "added"]
        await self._change(RemoveCaffe(name=one.name))
        self._removed.append((added.index(one.name), one))
        users = sum(each.caffe == one.name for each in self.look().sessions)
        without = f"; {fmt.plural(users, 'session')} chose it and cannot start" if users else ""
        self.say(
            f"{clean_name(one.name)} is off the list, no file was deleted{without}. Press u to undo.",
            "information",
        )

    async def _undo(self) -> None:
        place, one = self._removed[-1]
        await self._change(AddCaffe(one.name, one.argv, unchecked=True, place=place), one.name)
        self._removed.pop()
        self.say(f"{clean_name(one.name)} is back", "information")

    async def _set_default(self, one: CaffeInfo) -> None:
        name = "" if one.name == self._default else one.name
        found = await self.host.call(SetDefaults(caffe=name), Defaults)
        self._default = found.caffe
        what = clean_name(found.caffe) or "the first caffe that trains"
        self.say(f"New sessions on {self._host_name} get {what} on {found.device}", "information")

    def acted(self) -> None:
        self.show_known()

    def action_tray(self) -> None:
        """To what takes long."""
        if self.query_one(Tray).rows:
            self.query_one(Tray).focus()

    def action_keys(self) -> None:
        """All keys of this screen."""
        from barista_tui.screens.text import TextScreen

        text = managerkeys.page(managerkeys.CAFFES, self.app.keymap.keys)
        self.app.push_screen(TextScreen("Keys · Caffe builds", text))

    def action_leave(self) -> None:
        """Back to where it was opened from."""
        self.dismiss()


def _trying_words(names: Iterable[str], host: str) -> str:
    shown = [clean_name(name) for name in names]
    what = shown[0] if len(shown) == 1 else fmt.plural(len(shown), "caffe build")
    return f"trying {caffelook.end_of(what, 40).rstrip()} on {host}"
