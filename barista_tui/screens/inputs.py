"""The input manager: the datasets of all hosts, what is in them, and all that can be done to them."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import (
    GetLabelHistogram,
    GetThumbnails,
    LabelHistogram,
    Thumbnails,
)
from barista_server.api.text import clean_name
from barista_tui import datasets, managerkeys, workers
from barista_tui import format as fmt
from barista_tui.callers import INPUT_MANAGER
from barista_tui.commands import failure_text
from barista_tui.datasets import Row
from barista_tui.keymap import move
from barista_tui.screens.acting import ActingScreen
from barista_tui.screens.input_deeds import InputDeeds
from barista_tui.store import Key, Known
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.dataset_look import DatasetLook
from barista_tui.widgets.tray import Tray
from barista_tui.workers import Deed

LOOK = 0.25
"""Seconds between two looks at what is known."""
RELIST = 10.0
"""Seconds until hosts are asked again whether the files are still there and as they were."""
REST = 0.15
"""Seconds that the cursor rests before a dataset is looked into."""


class InputManager(ActingScreen):
    """Reads what is known of all hosts; asks the host of the chosen dataset for what is in it."""

    caller = INPUT_MANAGER

    DEFAULT_CSS = """
    InputManager #inputs-title { background: $surface; }
    InputManager #inputs-head { height: 1; padding: 0 1; }
    InputManager #inputs-list {
        height: 1fr; border: none; background: $background; background-tint: $foreground 0%; padding: 0;
        text-wrap: nowrap; scrollbar-size-vertical: 1;
    }
    InputManager #inputs-list > .option-list--option { padding: 0 1; }
    InputManager #inputs-none { height: 1fr; padding: 1 2; color: $dim; }
    InputManager #inputs-rule { height: 1; color: $faint; }
    InputManager DatasetLook { height: 12; }
    InputManager.-tall DatasetLook { height: 50%; }
    InputManager #inputs-keys { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *managerkeys.bindings(managerkeys.INPUTS),
        move("move-down", "cursor(1)"),
        move("move-up", "cursor(-1)"),
        move("first", "end('first')"),
        move("last", "end('last')"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._seen: object = None
        self._want: Key | None = None
        """To be chosen once it is on the list."""
        self._looked: object = None
        self._start = 0
        """The first sample that is shown."""
        self._deeds = InputDeeds(self)
        self._rest: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Bar(id="inputs-title")
        yield Static(id="inputs-head")
        yield OptionList(id="inputs-list", compact=True)
        yield Static(id="inputs-none")
        yield Static(id="inputs-rule")
        yield DatasetLook()
        yield Tray(id="inputs-tray")
        yield Bar(id="inputs-keys")

    def on_mount(self) -> None:
        self.query_one("#inputs-list").focus()
        self.set_interval(LOOK, self._look)
        self._relist()
        self.set_interval(RELIST, self._relist)
        self.call_after_refresh(self._look)

    def on_resize(self) -> None:
        self.set_class(self.size.height >= 36, "-tall")
        self._seen = self._looked = None
        self.call_after_refresh(self._look)

    # ---------------------------------------------------------------------------------- the list

    def _look(self) -> None:
        """Paint what is new since the last look."""
        known = self.app.store.known
        self.query_one(Tray).show(self.app.works.lines(known, self._cancel_hash))
        if known.hosts is not self._seen:
            self._seen = known.hosts
            self._show(known)

    def _relist(self) -> None:
        for host in self.app.store.known.hosts.values():
            if host.alive:
                relist = partial(self._deeds.relist, host.name)
                workers.begin(self, relist, f"relist {host.name}", newest=True)

    def _show(self, known: Known) -> None:
        before = self.chosen.key if self.chosen else None
        self._rows = datasets.rows(known)
        columns = datasets.widths(self.size.width - 3, len(known.hosts) > 1)
        lines = [datasets.line(row, columns) for row in self._rows]
        self.query_one("#inputs-head", Static).update(datasets.head(columns))
        listing = self.query_one("#inputs-list", OptionList)
        ids = [f"{row.key.host} {row.key.session}" for row in self._rows]
        if ids == [option.id for option in listing.options]:
            for place, line in enumerate(lines):
                if listing.options[place].prompt != line:
                    listing.replace_option_prompt_at_index(place, line)
        else:
            at = listing.highlighted or 0
            listing.set_options(Option(line, id=id) for line, id in zip(lines, ids, strict=True))
            keys = [row.key for row in self._rows]
            listing.highlighted = (
                keys.index(before) if before in keys else min(at, len(keys) - 1) if keys else None
            )
        self._choose_wanted()
        self._show_head(known)
        listing.display = bool(self._rows)
        self.query_one("#inputs-none").display = not self._rows
        self._show_chosen()

    def _choose_wanted(self) -> None:
        keys = [row.key for row in self._rows]
        if self._want in keys:
            self.query_one("#inputs-list", OptionList).highlighted = keys.index(self._want)
            self._want = None

    def _show_head(self, known: Known) -> None:
        away = [host.name for host in known.hosts.values() if not host.alive]
        hosts = fmt.plural(len(known.hosts), "host")
        left = [
            Piece(" Inputs ", "accent", bold=True),
            Piece(f" {fmt.plural(len(self._rows), 'dataset')} on {hosts}", "dim"),
        ]
        right = [Piece(f"{', '.join(away)} away ", "warning")] if away else []
        self.query_one("#inputs-title", Bar).show(left, right)
        none = "No datasets yet: a adds one by its path, f searches the folders that are declared for them."
        self.query_one("#inputs-none", Static).update(Content(none))
        self.query_one("#inputs-rule", Static).update(Content.styled("─" * self.size.width, "$faint"))

    @property
    def chosen(self) -> Row | None:
        """The dataset under the cursor."""
        at = self.query_one("#inputs-list", OptionList).highlighted
        return self._rows[at] if at is not None and at < len(self._rows) else None

    @on(OptionList.OptionHighlighted, "#inputs-list")
    def _moved(self) -> None:
        self._show_chosen()

    # ---------------------------------------------------------------------------------- what is in it

    def _show_chosen(self) -> None:
        row, look = self.chosen, self.query_one(DatasetLook)
        self.query_one("#inputs-keys", Bar).show(*self._keys(row))
        if row is None:
            look.show_facts(Content(""))
        else:
            look.show_facts(datasets.about(row, self.app.store.known, self.size.width // 2 - 3))
        dataset = row.dataset if row else None
        mark = row and (row.key, row.alive, row.dataset.alive, row.dataset.path, row.dataset.facts)
        if mark == self._looked and mark is not None:
            return
        if self._looked is None or row is None or self._looked[0] != row.key:  # type: ignore[index]
            self._start = 0
        self._looked = mark
        look.show_bars(None)
        can = row is not None and row.alive and dataset is not None and dataset.alive
        look.note(Content.styled("looking …" if can else "", "$dim"))
        self._fetch(row if can else None)

    def _fetch(self, row: Row | None) -> None:
        """Look into it once the cursor rests; what was asked for before is not wanted any more."""
        if self._rest is not None:
            self._rest.stop()
        self.workers.cancel_group(self, "look")
        self._rest = self.set_timer(REST, partial(self._look_into, partial(self._load, row)))

    def _look_into(self, deed: Deed) -> None:
        workers.begin(self, deed, "look", newest=True)

    async def _load(self, row: Row | None) -> None:
        look = self.query_one(DatasetLook)
        await look.show_samples([])
        if row is None:
            return
        look.note(Content.styled("looking …", "$dim"))
        await self._load_samples(row)
        if row.dataset.facts.labels != "none":
            await self._load_bars(row, False)

    async def _load_samples(self, row: Row) -> None:
        look = self.query_one(DatasetLook)
        look.expect(row.dataset.facts)
        call = GetThumbnails(dataset=row.key.session, start=self._start, count=look.count, side=look.side)
        try:
            found = await self.app.fleet.of(row.key).call(call, Thumbnails)
        except CallFailed as error:
            look.note(Content.styled(failure_text(error.failure), "$warning"))
        except LinkError as error:
            look.note(Content.styled(str(error), "$warning"))
        else:
            await look.show_samples(found.thumbnails)

    async def _load_bars(self, row: Row, whole: bool) -> None:
        look = self.query_one(DatasetLook)
        call = GetLabelHistogram(dataset=row.key.session, whole=whole)
        try:
            found = await self.app.fleet.of(row.key).call(call, LabelHistogram)
        except CallFailed as error:
            self.say(failure_text(error.failure), "warning")
        except LinkError:
            return  # The row says so.
        else:
            look.show_bars(found)

    def action_samples(self, step: int) -> None:
        """The samples after, or before, those that are shown."""
        row, look = self.chosen, self.query_one(DatasetLook)
        self.query_one("#inputs-keys", Bar).show(*self._keys(row))
        if row is None or not (row.alive and row.dataset.alive):
            return
        last = row.dataset.facts.samples
        start = max(0, self._start + step * look.count)
        if start != self._start and (last is None or start < last):
            self._start = start
            self._look_into(partial(self._load_samples, row))

    def action_whole(self) -> None:
        """The histogram of all labels."""
        if (row := self.chosen) is not None and row.dataset.facts.labels != "none":
            self.say(f"Reading all labels of {clean_name(row.dataset.name)} …", "information")
            self._look_into(partial(self._load_bars, row, True))

    # ---------------------------------------------------------------------------------- what is done

    def action_leave(self) -> None:
        """Back to the sessions."""
        self.dismiss()

    def action_cursor(self, step: int) -> None:
        """Move the cursor, from wherever the focus is."""
        listing = self.query_one("#inputs-list", OptionList)
        listing.action_cursor_down() if step > 0 else listing.action_cursor_up()

    def action_end(self, which: str) -> None:
        """Move the cursor to the first or the last dataset."""
        listing = self.query_one("#inputs-list", OptionList)
        listing.action_first() if which == "first" else listing.action_last()

    @on(Bar.Pressed)
    async def _pressed(self, event: Bar.Pressed) -> None:
        await self.run_action(event.action)

    def action_add(self) -> None:
        """A dataset by its path."""
        from barista_tui.screens.input_add import AddInput

        if self._hosts():
            self.app.push_screen(AddInput(self._hosts(), self._host()), self._added)

    def action_search(self) -> None:
        """Datasets below the declared folders of a host."""
        from barista_tui.screens.input_search import SearchInputs

        if self._hosts():
            self.app.push_screen(SearchInputs(self._hosts(), self._host()), self._added)

    def action_edit(self) -> None:
        """A list of HDF5 files: the chosen one, or a new one."""
        from barista_tui.screens.list_editor import ListEditor

        row = self.chosen
        if hosts := self._hosts():
            mine = row is not None and row.key.host in hosts and row.dataset.facts.kind == "hdf5-list"
            path = row.dataset.path if row is not None and mine else ""
            self.app.push_screen(ListEditor(hosts, self._host(), path), self._deeds.list_saved)

    def _hosts(self) -> list[str]:
        alive = [host.name for host in self.app.store.known.hosts.values() if host.alive]
        if not alive:
            self.say("No host is connected: nothing can be added now", "warning")
        return alive

    def _host(self) -> str:
        hosts = [host.name for host in self.app.store.known.hosts.values() if host.alive]
        return self.chosen.key.host if self.chosen and self.chosen.key.host in hosts else hosts[0]

    def _added(self, key: Key | None) -> None:
        self._want = key
        self._seen = None

    def action_do(self, name: str, *args: Any) -> None:
        """One of the deeds, to the dataset under the cursor."""
        if (row := self.chosen) is not None:
            getattr(self._deeds, name)(row, *args)

    def action_undo(self) -> None:
        """Take the last change back."""
        self._deeds.undo()

    def _cancel_hash(self, key: Key) -> None:
        self._deeds.cancel_hash(key)

    def show_now(self, want: Key | None = None) -> None:
        """Something was done: look at once, and go to what it was done to."""
        self._want = want or self._want
        self._look()

    def action_keys(self) -> None:
        """All keys of this screen."""
        from barista_tui.screens.text import TextScreen

        text = managerkeys.page(managerkeys.INPUTS, self.app.keymap.keys)
        self.app.push_screen(TextScreen("Keys · Datasets", text))

    def _keys(self, chosen: Row | None) -> tuple[list[Piece], list[Piece]]:
        """Keys of what can be done now; help and the way back at the right."""
        keys = self.app.keymap.keys

        def named(each: managerkeys.ManagerKey, label: str) -> list[Piece]:
            word = managerkeys.word(each, keys)
            return [
                Piece(f" {word} ", "accent", each.does, reason=each.help),
                Piece(f"{label} ", "dim", each.does, reason=each.help),
            ]

        table = {each.id: each for each in managerkeys.INPUTS}
        offered = [
            each
            for each in managerkeys.INPUTS
            if each.label and (chosen is not None or not each.does.startswith("do("))
        ]
        left = [piece for each in offered for piece in named(each, each.label)]
        return left, [*named(table["inputs-keys"], "Keys"), *named(table["inputs-leave"], "Back")]
