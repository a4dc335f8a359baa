"""What was deleted or reset, on all hosts: brought back, or deleted for good."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual import on
from textual.widgets import DataTable

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import EmptyTrash, ListTrash, Restore, SessionReply, TrashItem, TrashList
from barista_tui import format as fmt
from barista_tui import managerkeys, workers
from barista_tui.screens.beside import TableScreen
from barista_tui.screens.confirm import Choice, ConfirmScreen

NOTHING = "The trash is empty: what d deletes and R resets lies here, until it is deleted for good."


class TrashScreen(TableScreen):
    """The newest first; enter brings it back."""

    KEYS = managerkeys.TRASH
    TITLE_OF_KEYS = "Trash"
    BINDINGS = managerkeys.bindings(managerkeys.TRASH)

    def __init__(self) -> None:
        super().__init__()
        self._items: list[tuple[str, TrashItem]] = []
        """With the host that has it."""

    def begin(self) -> None:
        self.table.cursor_type = "row"
        self.entitle("Trash", "asking …")
        self.action_reload()

    def action_reload(self) -> None:
        """Ask all hosts that answer."""
        workers.begin(self, self._load, "load", newest=True)

    def acted(self) -> None:
        self.action_reload()

    async def _load(self) -> None:
        hosts = [host.name for host in self.app.store.known.hosts.values() if host.alive]
        found = await asyncio.gather(*map(self._of, hosts))
        self._items = [(host, item) for host, items in zip(hosts, found, strict=True) for item in items]
        self._items.sort(key=lambda each: each[1].time, reverse=True)
        self._show(several=len(self.app.store.known.hosts) > 1)

    async def _of(self, host: str) -> Sequence[TrashItem]:
        try:
            return (await self.app.fleet[host].call(ListTrash(), TrashList)).items
        except (CallFailed, LinkError, KeyError) as error:
            self.say(f"The trash of {host} cannot be listed.\n{error}", "warning")
            return ()

    def _show(self, several: bool) -> None:
        table, at = self.table, self.table.cursor_row
        heads = ("session", *(["host"] if several else []), "went", "what", "files", "size")
        rows = []
        for host, item in self._items:
            cells = [table.cell(f"{item.session} {item.name}".rstrip())]
            cells += [table.cell(host, "dim")] if several else []
            cells += [
                table.cell(f"{fmt.date(item.time)} {fmt.clock(item.time)}", "dim"),
                table.cell(_what(item)),
            ]
            cells += [table.cell(str(item.files), right=True), table.cell(fmt.size(item.size), right=True)]
            rows.append(cells)
        table.fill(heads, rows)
        table.move_cursor(row=max(0, min(at, len(rows) - 1)))
        size = fmt.size(sum(item.size for _, item in self._items))
        self.entitle("Trash", f"{fmt.plural(len(rows), 'piece')}, {size}" if rows else "")
        self.remark("" if rows else NOTHING)

    def _chosen(self) -> tuple[str, TrashItem] | None:
        row = self.table.cursor_row
        return self._items[row] if 0 <= row < len(self._items) else None

    @on(DataTable.RowSelected)
    def action_restore(self) -> None:
        """Bring back what is under the cursor."""
        if chosen := self._chosen():
            host, item = chosen
            self.ask_agent(self._restore(host, item), f"{item.name or item.trash} was not brought back")

    async def _restore(self, host: str, item: TrashItem) -> None:
        reply = await self.app.fleet[host].call(Restore(trash=item.trash), SessionReply)
        self._forget(host, [item])
        self.app.store.changed_session(host, reply.session)
        self.say(f"{reply.session.name} is back", "information")

    def action_empty(self, everything: bool) -> None:
        """Delete it, or all of its host, for good; nothing brings that back, so it is asked."""
        chosen = self._chosen()
        if chosen is None:
            return
        host = chosen[0]
        items = [item for at, item in self._items if at == host] if everything else [chosen[1]]
        files = fmt.plural(sum(item.files for item in items), "file")
        size = fmt.size(sum(item.size for item in items))
        what = f"all of the trash of {host}" if everything else _name(items[0])
        body = [f"{files}, {size}. Nothing brings them back then."]
        choices = [Choice("keep", "Keep"), Choice("empty", "Delete", "error")]

        def decided(answer: str | None) -> None:
            if answer == "empty":
                self.ask_agent(self._empty(host, items), "Not everything was deleted")

        self.app.push_screen(ConfirmScreen(f"Delete {what} for good?", body, choices), decided)

    async def _empty(self, host: str, items: Sequence[TrashItem]) -> None:
        call = EmptyTrash(trash=[item.trash for item in items])
        gone = (await self.app.fleet[host].call(call, TrashList)).items
        self._forget(host, gone)
        self.say(f"{fmt.size(sum(item.size for item in gone))} deleted for good", "information")

    def _forget(self, host: str, items: Sequence[TrashItem]) -> None:
        """The key that undoes must not ask for it."""
        commands = self.app.main.commands
        gone = {(host, item.trash) for item in items}
        commands.trash[:] = [one for one in commands.trash if (one.host, one.trash) not in gone]


def _name(item: TrashItem) -> str:
    what = {"log": "the entry of", "delete": "session", "reset": "runs and snapshots of"}
    return f"{what['log' if item.kind == 'log' else item.what]} {item.session} {item.name}".rstrip()


def _what(item: TrashItem) -> str:
    return "log, the entry only" if item.kind == "log" else "deleted" if item.what == "delete" else "reset"
