"""What is done to a dataset in the input manager: each deed asks its host, and most can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import (
    AddDataset,
    Call,
    CancelHash,
    DatasetInfo,
    DatasetList,
    DatasetReply,
    HashDataset,
    ListDatasets,
    MoveDataset,
    ReloadDataset,
    RelocateDataset,
    RemoveDataset,
    RenameDataset,
    RestoreDataset,
)
from barista_server.api.text import clean_name
from barista_tui.datasets import Row
from barista_tui.screens.confirm import Choice, ConfirmScreen
from barista_tui.screens.input_add import AskPlace
from barista_tui.screens.prompt import PromptScreen
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.screens.inputs import InputManager


class Undo(NamedTuple):
    """A call that takes the last change back."""

    host: str
    call: Call
    what: str


class InputDeeds:
    """Acts for the screen, which says what came of it."""

    def __init__(self, screen: InputManager) -> None:
        self._screen = screen
        self._undo: list[Undo] = []

    async def relist(self, host: str) -> None:
        """What the host says of its list now: whether the files are there is found out when it is asked."""
        try:
            reply = await self._screen.app.fleet[host].call(ListDatasets(), DatasetList)
        except (CallFailed, LinkError):
            return
        self._screen.app.store.listed_datasets(host, reply.datasets)

    def list_saved(self, saved: Key | None) -> None:
        """A list was written (its path is the key's ``session``): hash it anew, or put it on the list."""
        if saved is not None:
            said = f"{clean_name(saved.session)} was saved, but not hashed"
            self._screen.ask_agent(self._take_list(saved.host, saved.session), said)

    async def _take_list(self, host: str, path: str) -> None:
        datasets = self._screen.app.store.known.host(host).datasets.values()
        id = next((each.id for each in datasets if each.path == path), None)
        if id is None:
            dataset = await self._call(Key(host), AddDataset(path=path, kind="hdf5-list"))
            self._screen.show_now(Key(host, dataset.id))
        else:
            await self._call(Key(host), ReloadDataset(dataset=id))
            await self._call(Key(host), HashDataset(dataset=id))

    def rename(self, row: Row) -> None:
        """Another name."""

        def answered(name: str | None) -> None:
            if name and name != row.dataset.name:
                back = RenameDataset(dataset=row.key.session, name=row.dataset.name)
                self._do(
                    row,
                    RenameDataset(dataset=row.key.session, name=name),
                    "was not renamed",
                    back,
                    "the name",
                )

        self._screen.app.push_screen(
            PromptScreen(f"Rename {clean_name(row.dataset.name)}", row.dataset.name), answered
        )

    def locate(self, row: Row) -> None:
        """Its files are elsewhere now."""

        def answered(path: str | None) -> None:
            if path:
                id, old = row.key.session, row.dataset
                back = RelocateDataset(dataset=id, path=old.path, base=old.base)
                self._do(row, RelocateDataset(dataset=id, path=path), "stays where it was", back, "the place")

        self._screen.app.push_screen(AskPlace(row.key.host, row.dataset), answered)

    def remove(self, row: Row) -> None:
        """Off the list, not off the disk."""
        id = row.key.session
        back = RestoreDataset(dataset=id)
        said = f"{clean_name(row.dataset.name)} is off the list; its files stay. u puts it back"
        self._do(row, RemoveDataset(dataset=id), "was not taken off", back, "the removal", said)

    def copy(self, row: Row) -> None:
        """To another host, unless the same data is there; the tray shows how far it is."""
        from barista_tui.carriage import Carriage
        from barista_tui.screens.choose import Answer, ChooseScreen

        screen, name = self._screen, clean_name(row.dataset.name)
        if not row.alive:
            screen.say(f"{row.key.host} is not connected: {name} cannot be copied now", "warning")
            return
        hosts = [each for each in screen.app.store.known.hosts.values()
                 if each.alive and each.role == "owner" and each.name != row.key.host]  # fmt: skip
        if not hosts:
            screen.say("No other host is connected: F3 in the list of sessions adds one", "warning")
            return
        answers = [
            Answer(each.name, each.name, "has the same data" if _has(each.datasets.values(), row) else "")
            for each in hosts
        ]

        def chosen(to: str | None) -> None:
            if to is not None:
                Carriage(screen.app).copy_dataset(row.key.host, row.key.session, name, to)

        screen.app.push_screen(ChooseScreen(f"Copy {name} to which host?", answers), chosen)

    def assign(self, row: Row) -> None:
        """To a data layer of the session that is selected in the list."""
        from barista_tui.screens.input_assign import assign

        assign(self._screen, row)

    def hash(self, row: Row) -> None:
        """Hash it, or stop that."""
        if row.dataset.job is not None:
            self._do(row, CancelHash(dataset=row.key.session), "goes on being hashed")
        else:
            again = bool(row.dataset.content) and not row.dataset.changed
            self._do(row, HashDataset(dataset=row.key.session, again=again), "was not hashed")

    def cancel_hash(self, key: Key) -> None:
        """Stop hashing; what has been read is kept."""
        call = self._screen.app.fleet.of(key).call(CancelHash(dataset=key.session), DatasetReply)
        self._screen.ask_agent(call, "It goes on being hashed")

    def reload(self, row: Row) -> None:
        """Its facts anew; where it changed, hashing is offered."""
        self._screen.ask_agent(self._reload(row), f"{clean_name(row.dataset.name)} was not reloaded")

    async def _reload(self, row: Row) -> None:
        try:
            dataset = await self._call(row.key, ReloadDataset(dataset=row.key.session))
        except CallFailed:
            await self.relist(row.key.host)
            raise
        name = clean_name(dataset.name)
        if not dataset.alive:
            self._screen.say(f"{name} is not there: {clean_name(dataset.path)}", "warning")
        elif dataset.changed:
            self._offer_hash(row, name)
        else:
            self._screen.say(f"{name} is as it was", "information")

    def _offer_hash(self, row: Row, name: str) -> None:
        def decided(answer: str | None) -> None:
            if answer == "hash":
                self._do(row, HashDataset(dataset=row.key.session), "was not hashed")

        body = [
            f"{row.key.host}: {clean_name(row.dataset.path)}",
            "Its content id is kept until it is hashed again.",
        ]
        choices = [Choice("later", "Later"), Choice("hash", "Rehash now", "primary")]
        self._screen.app.push_screen(
            ConfirmScreen(f"{name} changed since it was hashed", body, choices), decided
        )

    def move(self, row: Row, places: int) -> None:
        """Up or down the list of its host."""
        self._screen.ask_agent(self._move(row, places), f"{clean_name(row.dataset.name)} was not moved")

    async def _move(self, row: Row, places: int) -> None:
        call = MoveDataset(dataset=row.key.session, places=places)
        reply = await self._screen.app.fleet.of(row.key).call(call, DatasetList)
        self._screen.app.store.listed_datasets(row.key.host, reply.datasets)
        self._screen.show_now()

    def undo(self) -> None:
        """Take the last change back."""
        if not self._undo:
            self._screen.say("There is nothing to undo here", "information")
            return
        self._screen.ask_agent(self._take_back(self._undo.pop()), "It was not undone")

    async def _take_back(self, undo: Undo) -> None:
        host = self._screen.app.fleet[undo.host]
        try:
            dataset = (await host.call(undo.call, DatasetReply)).dataset
            reply = await host.call(ListDatasets(), DatasetList)
        except LinkError:
            self._undo.append(undo)
            raise
        self._screen.app.store.listed_datasets(undo.host, reply.datasets)
        self._screen.say(f"Undone: {undo.what} of {clean_name(dataset.name)}", "information")
        self._screen.show_now(Key(undo.host, dataset.id))

    def _do(
        self, row: Row, call: Call, failed: str, back: Call | None = None, what: str = "", said: str = ""
    ) -> None:
        """Carry out a call; once it is done ``back`` can undo it, and ``said`` is said."""

        async def deed() -> None:
            await self._call(row.key, call)
            if back is not None:
                self._undo.append(Undo(row.key.host, back, what))
            if said:
                self._screen.say(said, "information")

        self._screen.ask_agent(deed(), f"{clean_name(row.dataset.name)} {failed}")

    async def _call(self, key: Key, call: Call) -> DatasetInfo:
        return (await self._screen.app.fleet.of(key).call(call, DatasetReply)).dataset


def _has(datasets: Iterable[DatasetInfo], row: Row) -> bool:
    """One of them is of the same content."""
    return bool(row.dataset.content) and any(each.content == row.dataset.content for each in datasets)
