"""The snapshots of the selected session: go on from any of them."""

from __future__ import annotations

from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from barista_server.api.messages import DeviceList, ListDevices, SessionInfo, Snapshot, State
from barista_tui import format as fmt
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.table import PaneSpec
from barista_tui.runway import is_short, keep_words, runway, runway_words
from barista_tui.store import Key
from barista_tui.widgets.bar import Bar, Piece


class SnapshotsPane(Pane, can_focus=True):
    """Newest first; the cursor stays on its snapshot when there are new ones."""

    DEFAULT_CSS = """
    SnapshotsPane OptionList {
        border: none; background: $background; background-tint: $foreground 0%; padding: 0;
        text-wrap: nowrap; text-overflow: ellipsis; scrollbar-size-vertical: 1;
    }
    SnapshotsPane Static { padding: 1 2; color: $dim; }
    """

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._list = OptionList(id="snapshots-list", compact=True)
        self._empty = Static()
        self._heading = Bar(id="snapshots-heading")
        self._room = Bar(id="snapshots-room")
        self._shown: tuple[Key | None, tuple[Snapshot, ...]] = (None, ())
        self._look: Look | None = None
        self._asked: object = None
        self._free: int | None = None
        """Bytes on the disk of the session's host."""

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._list
        yield self._room
        yield self._empty

    def on_mount(self) -> None:
        self._heading.show([Piece(f"  {'ITERATION':>9}  {'TAKEN':<19}  {'SIZE':>8}     FILES", "dim")])

    def show(self, look: Look) -> None:
        snapshots = tuple(look.session.snapshots) if look.session is not None else ()
        before, self._look = self._look, look
        self._show_room()
        mark = (look.key, look.linked, snapshots)
        if snapshots and look.key is not None and mark != self._asked and look.linked is not None:
            self._asked = mark
            self._free = None if before is None or before.key != look.key else self._free
            self.fetch(partial(self._look_for_room, look.key))
        if (look.key, snapshots) == self._shown and snapshots:
            return
        at = self._chosen if look.key == self._shown[0] else None
        self._shown = (look.key, snapshots)
        self._list.display = self._heading.display = bool(snapshots)
        self._empty.display = not snapshots
        self._empty.update(Content(_why_none(look.session)))
        self._list.clear_options()
        self._list.add_options(_option(each) for each in reversed(snapshots))
        kept = [place for place, each in enumerate(reversed(snapshots)) if each.iteration == at]
        self._list.highlighted = kept[0] if kept else (0 if snapshots else None)
        self.post_message(self.HeadChanged())

    def head(self) -> list[Piece]:
        snapshots = self._shown[1]
        if not snapshots:
            return []
        total = sum(each.size for each in snapshots)
        return [Piece(f"{fmt.plural(len(snapshots), 'snapshot')}, {fmt.size(total)} ", "dim")]

    def _show_room(self) -> None:
        """Below the list: which of them stay, and how long the disk has room for them."""
        session = self._look.session if self._look is not None else None
        pieces = []
        if session is not None and session.snapshots:
            trains = session.state is State.RUNNING
            room = (
                runway(session.snapshots, session.keep, self._free, trains)
                if self._free is not None
                else None
            )
            if words := keep_words(session.keep) or "keeps all of them":
                pieces.append(Piece(f"  {words}", "dim", "keep"))
            if words := runway_words(room):
                pieces.append(Piece(f"   {words}", "warning" if is_short(room) else "dim"))
        self._room.show(pieces)
        self._room.display = bool(pieces)

    async def _look_for_room(self, key: Key) -> None:
        found = await self.ask(key, ListDevices(), DeviceList)
        free = next((each.disk_free for each in found.devices if each.disk_free is not None), None)
        if self._shown[0] == key:
            self._free = free
            self._show_room()

    def goal(self) -> Widget:
        return self._list if self._list.display else self

    def facts(self) -> object:
        """The iteration of the chosen snapshot, or None."""
        return self._chosen

    @property
    def _chosen(self) -> int | None:
        at = self._list.highlighted
        option = self._list.get_option_at_index(at) if at is not None else None
        return int(option.id) if option is not None and option.id else None

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.main.action_do("resume-from")

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        self.post_message(self.HeadChanged())

    def resume(self) -> None:
        """Go on from the chosen one."""
        if (iteration := self._chosen) is not None:
            self.main.start_from(iteration)


def _option(snapshot: Snapshot) -> Option:
    taken = f"{fmt.date(snapshot.time)} {fmt.clock(snapshot.time)}"
    return Option(
        Content.assemble(
            f" {snapshot.iteration:>9}  {taken:<19}  {fmt.size(snapshot.size):>8}  ",
            ("✔ ", "$success"),
            (f"{snapshot.model} + {snapshot.state}", "$dim"),
        ),
        id=str(snapshot.iteration),
    )


def _why_none(session: SessionInfo | None) -> str:
    if session is None:
        return "No session is selected."
    if session.kind == "log":
        return "An imported log: its snapshots lie where its caffe wrote them."
    return "No snapshots yet. s takes one while it runs, and so does pausing with space."
