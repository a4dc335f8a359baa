"""Datasets through a real agent: the list, hashing that survives, what is refused to whom."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
import pytest
import pytest_asyncio

from barista_server.api.frames import encode
from barista_server.api.link import CallFailed, Link
from barista_server.api.local import connect
from barista_server.api.messages import (
    AddDataset,
    Call,
    CancelHash,
    CancelSearch,
    DatasetChanged,
    DatasetInfo,
    DatasetList,
    DatasetRemoved,
    DatasetReply,
    DatasetRoots,
    DeclareRoot,
    Event,
    FollowDatasets,
    GetDataset,
    GetLabelHistogram,
    GetSamples,
    GetSearch,
    GetThumbnails,
    HashDataset,
    Introduction,
    LabelHistogram,
    ListDatasetRoots,
    ListDatasets,
    Message,
    MoveDataset,
    ReloadDataset,
    RelocateDataset,
    RemoveDataset,
    RenameDataset,
    RestoreDataset,
    Role,
    Samples,
    SearchDatasets,
    SearchState,
    Thumbnails,
    UndeclareRoot,
)
from barista_server.data.datasets.content import content_id, segments
from tests.data import dataset_files as files

from .agents import Root, exists, until

R = TypeVar("R", bound=Message)
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\x02\0\0\0"


class Follower:
    """A client that follows the datasets."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.known: dict[str, DatasetInfo] = {}
        self.removed: dict[str, str] = {}
        link.on_event = self._take

    @classmethod
    async def open(cls, root: Root) -> Follower:
        one = cls(await root.link())
        for info in (await one.link.call(FollowDatasets(), DatasetList)).datasets:
            one.known[info.id] = info
        return one

    def _take(self, event: Event) -> None:
        if isinstance(event.what, DatasetChanged):
            self.known[event.what.dataset.id] = event.what.dataset
        elif isinstance(event.what, DatasetRemoved):
            self.removed[event.what.dataset] = event.what.reason

    async def one(self, call: Call) -> DatasetInfo:
        return (await self.link.call(call, DatasetReply)).dataset

    async def hashed(self, call: Call) -> DatasetInfo:
        """The dataset of a call once it is hashed."""
        number = (await self.one(call)).id
        while True:
            await until(lambda: self._settled(number), "it is hashed")
            # What was sent before the call began it says the same.
            if (found := await self.one(GetDataset(dataset=number))).job is None:
                return found
            self.known[number] = found

    def share(self, number: str) -> float:
        """Part that is hashed, as far as was told."""
        info = self.known.get(number)
        return info.job.share if info and info.job else 0.0

    def note(self, number: str) -> str:
        info = self.known.get(number)
        return info.job.note if info and info.job else ""

    def _settled(self, number: str) -> bool:
        return number in self.removed or (number in self.known and self.known[number].job is None)

    async def names(self) -> list[str]:
        return [one.name for one in (await self.link.call(ListDatasets(), DatasetList)).datasets]

    async def refused(self, call: Call, code: str, text: str) -> None:
        with pytest.raises(CallFailed, match=text) as caught:
            await self.link.call(call, DatasetReply)
        assert caught.value.failure.code == code


@pytest_asyncio.fixture
async def client(root: Root) -> Follower:
    return await Follower.open(root)


async def introduced(root: Root, role: Role) -> Follower:
    """A client behind a gateway."""
    reader, writer = await connect(root.path)
    writer.write(encode(Introduction(role=role, via="ssh from 192.0.2.7")))
    link = await Link.over(reader, writer)
    root.links.append(link)
    return Follower(link)


def large(folder: Path, count: int = 100, size: int = 20 << 20) -> Path:
    """A list of images that take some seconds to hash and hardly any room."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number}.png"
        path.write_bytes(_PNG)
        os.truncate(path, size)
    (folder / "list.txt").write_text("".join(f"{number}.png 1\n" for number in range(count)))
    return folder / "list.txt"


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _zeros(size: int) -> bytes:
    """Hash of the segment that one of these images makes."""
    value = _PNG + bytes(size - len(_PNG))
    return next(segments([(b"1", value)])).digest


# ------------------------------------------------------------------------------------------------- the list


async def test_from_adding_to_looking(client: Follower, tmp_path: Path) -> None:
    path = files.lmdb(tmp_path / "faces")
    added = await client.one(AddDataset(path=str(path)))
    assert (added.id, added.name, added.path, added.facts.samples) == ("1", "faces", str(path), 30)
    assert added.job is not None and added.content == ""
    done = await client.hashed(HashDataset(dataset="faces"))
    assert len(done.content) == 64 and done.alive and not done.changed and done.problem is None
    assert (await client.one(GetDataset(dataset=done.content[:8]))).id == "1"

    samples = (await client.link.call(GetSamples(dataset="1", start=28, count=9), Samples)).samples
    assert [(one.index, one.labels, one.shape) for one in samples] == [
        (28, [0], [3, 4, 5]),
        (29, [1], [3, 4, 5]),
    ]
    assert samples[1].data == files.datums()[29][1].data
    small = (await client.link.call(GetThumbnails(dataset="1", count=3, side=2), Thumbnails)).thumbnails
    assert [(one.height, one.width, one.channels, len(one.data)) for one in small] == [(2, 2, 3, 12)] * 3
    histogram = await client.link.call(GetLabelHistogram(dataset="1"), LabelHistogram)
    assert [(one.low, one.count) for one in histogram.bins] == [(0, 8), (1, 8), (2, 7), (3, 7)]
    assert histogram.whole and histogram.seen == histogram.samples == 30


async def test_the_same_is_not_loaded_twice(client: Follower, tmp_path: Path) -> None:
    await client.hashed(AddDataset(path=str(files.lmdb(tmp_path / "one"))))
    (tmp_path / "link").symlink_to(tmp_path / "one")
    for path in (tmp_path / "one", tmp_path / "one" / "data.mdb", tmp_path / "link"):
        await client.refused(AddDataset(path=str(path)), "refused", "on the list already: it is 1, one")
    number = (await client.one(AddDataset(path=str(files.lmdb(tmp_path / "two"))))).id
    await until(lambda: number in client.removed, "the second is off the list")
    assert client.removed[number].endswith(f"two holds the same data as 1, one ({tmp_path / 'one'})")
    assert await client.names() == ["one"]
    assert (tmp_path / "two" / "data.mdb").exists()


async def test_names_places_and_undo(client: Follower, root: Root, tmp_path: Path) -> None:
    for number in range(3):
        path = files.hdf5(tmp_path / f"{number}.h5", seed=number)
        await client.hashed(AddDataset(path=str(path), name=f"n{number}"))
    assert (await client.one(RenameDataset(dataset="2", name="middle"))).name == "middle"
    await client.refused(RenameDataset(dataset="2", name=" \x1b "), "invalid", "needs a name")
    moved = await client.link.call(MoveDataset(dataset="middle", places=-5), DatasetList)
    assert [one.name for one in moved.datasets] == ["middle", "n0", "n2"]
    await client.one(RemoveDataset(dataset="n0"))
    assert await client.names() == ["middle", "n2"] and (tmp_path / "0.h5").exists()
    await client.refused(GetDataset(dataset="n0"), "not-found", "no dataset 'n0'")
    await client.refused(RestoreDataset(dataset="2"), "not-found", "no dataset 2 was taken off")
    assert (await client.one(RestoreDataset(dataset="1"))).content
    assert await client.names() == ["middle", "n0", "n2"]
    before = (await client.link.call(ListDatasets(), DatasetList)).datasets
    await root.kill_agent(client.link)
    again = await Follower.open(root)
    assert (await again.link.call(ListDatasets(), DatasetList)).datasets == before


async def test_changes_are_told_and_the_id_is_kept(client: Follower, tmp_path: Path) -> None:
    path = files.hdf5(tmp_path / "a.h5")
    first = await client.hashed(AddDataset(path=str(path)))
    path.unlink()
    assert not (await client.one(GetDataset(dataset="1"))).alive
    await client.refused(ReloadDataset(dataset="1"), "not-found", "there is no")
    files.hdf5(path, rows=31, seed=5)
    now = await client.one(ReloadDataset(dataset="1"))
    assert (now.alive, now.changed, now.content, now.facts.samples) == (True, True, first.content, 31)
    again = await client.hashed(HashDataset(dataset="1"))
    assert again.content != first.content and not again.changed
    # Nothing to do: no job.
    assert (await client.one(HashDataset(dataset="1"))).job is None
    os.utime(path, ns=(5, 5))
    touched = await client.one(GetDataset(dataset="1"))
    assert touched.changed
    same = await client.hashed(HashDataset(dataset="1"))
    assert same.content == again.content and not same.changed


async def test_a_new_place_is_checked(client: Follower, tmp_path: Path) -> None:
    path = files.lmdb(tmp_path / "old")
    first = await client.hashed(AddDataset(path=str(path)))
    path.rename(tmp_path / "new")
    moved = await client.hashed(RelocateDataset(dataset="1", path=str(tmp_path / "new")))
    assert (moved.path, moved.content, moved.changed) == (str(tmp_path / "new"), first.content, False)
    files.lmdb(tmp_path / "less", files.datums(7))
    other = await client.hashed(RelocateDataset(dataset="1", path=str(tmp_path / "less")))
    assert other.changed and other.content == first.content
    assert other.problem is not None and "is other data" in other.problem
    taken = await client.hashed(HashDataset(dataset="1"))
    assert taken.content != first.content and not taken.changed and taken.problem is None
    await client.refused(
        RelocateDataset(dataset="1", path=str(files.hdf5(tmp_path / "a.h5"))), "refused", "of another kind"
    )


# -------------------------------------------------------------------------------------------------- hashing


async def test_hashing_survives_a_cancel_and_the_agent(client: Follower, root: Root, tmp_path: Path) -> None:
    path = large(tmp_path / "large")

    def under_way() -> DatasetInfo | None:
        info = client.known.get("1")
        return info if info and info.job and info.job.share and info.job.bytes > info.job.resumed else None

    await client.one(AddDataset(path=str(path)))
    begun = await until(under_way, "some of it is hashed")
    assert begun.job is not None and begun.job.rate >= 0 and begun.job.bytes > 20 << 20
    stopped = await client.one(CancelHash(dataset="1"))
    assert stopped.job is None and stopped.content == ""
    await client.refused(CancelHash(dataset="1"), "refused", "not being hashed")
    client.known.clear()

    await client.one(HashDataset(dataset="1"))
    resumed = await until(under_way, "it goes on")
    assert resumed.job is not None and resumed.job.resumed >= 20 << 20
    await root.kill_agent(client.link)

    client = await Follower.open(root)
    await until(lambda: "1" in client.known and client.known["1"].job, "the next agent goes on by itself")
    done = await client.hashed(GetDataset(dataset="1"))
    assert len(done.content) == 64
    assert not (root.path / "dataset-hashes" / "1.part").exists()
    assert done.content == content_id("image-list", [_zeros(20 << 20)] * 100, 100)


async def test_hashing_leaves_processor_and_disk_to_others(
    client: Follower, root: Root, tmp_path: Path
) -> None:
    path = large(tmp_path / "large")
    await client.one(AddDataset(path=str(path)))
    await until(lambda: client.share("1"), "some of it is hashed")
    (child,) = (
        one
        for one in psutil.Process(client.link.welcome.pid).children()
        if "barista_server.agent.datasets.child" in one.cmdline()
    )
    assert child.nice() == psutil.Process(client.link.welcome.pid).nice() + 10
    assert child.ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
    await client.one(RemoveDataset(dataset="1"))


async def test_a_try_of_other_files_is_not_gone_on_with(client: Follower, tmp_path: Path) -> None:
    path = large(tmp_path / "large", count=60)
    await client.one(AddDataset(path=str(path)))
    await until(lambda: client.share("1"), "some of it is hashed")
    await client.one(CancelHash(dataset="1"))
    (path.parent / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    await client.one(HashDataset(dataset="1"))
    notes = await until(lambda: client.note("1"), "the reason is told")
    assert notes == "it begins anew: the files have changed since"
    await client.one(RemoveDataset(dataset="1"))


async def test_damage_hurts_nobody(client: Follower, root: Root, tmp_path: Path) -> None:
    chance = np.random.default_rng(4)
    database, file = files.lmdb(tmp_path / "db"), files.hdf5(tmp_path / "a.h5", chunks=True, compression=4)
    for number, path in enumerate((database, file)):
        await client.hashed(AddDataset(path=str(path)))
        raw = path / "data.mdb" if path.is_dir() else path
        data = bytearray(raw.read_bytes())
        # Behind the two heads of an LMDB: page numbers and offsets that lead anywhere.
        for place in chance.integers(8192 if path.is_dir() else 100, len(data), 900):
            data[place] = chance.integers(256)
        raw.write_bytes(data)
        for call in (GetSamples(dataset=str(number + 1), count=30), ReloadDataset(dataset=str(number + 1))):
            try:
                await client.link.call(call, Samples if isinstance(call, GetSamples) else DatasetReply)
            except CallFailed as error:
                assert error.failure.code == "invalid", error.failure
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "data.mdb").write_bytes(os.urandom(20_000))
    await client.refused(AddDataset(path=str(broken)), "invalid", "cannot be opened as LMDB")
    assert len(await client.names()) == 2
    (root.path / "datasets.json").write_text("{")
    await root.kill_agent(client.link)
    again = await Follower.open(root)
    assert await again.names() == []
    assert [one for one in root.path.iterdir() if one.name.startswith("datasets.json.damaged-")]


# ------------------------------------------------------------------------------------------------ boundaries


async def test_who_comes_from_elsewhere_stays_within_the_declared_folders(
    client: Follower, root: Root, tmp_path: Path
) -> None:
    open_, closed = tmp_path / "open", tmp_path / "closed"
    open_.mkdir()
    closed.mkdir()
    files.lmdb(closed / "db")
    files.hdf5(open_ / "a.h5")
    (open_ / "link").symlink_to(closed / "db")
    far = await introduced(root, "owner")
    await far.refused(AddDataset(path=str(open_ / "a.h5")), "forbidden", "outside of the declared folders")
    await far.refused(DeclareRoot(path=str(open_)), "forbidden", "on the agent's own machine")
    roots = await client.link.call(DeclareRoot(path=str(open_)), DatasetRoots)
    assert roots.roots == [str(root.path / "datasets"), str(open_)]
    assert (await far.one(AddDataset(path=str(open_ / "a.h5")))).id == "1"
    for path in (closed / "db", open_ / "link", open_ / ".." / "closed" / "db"):
        await far.refused(AddDataset(path=str(path)), "forbidden", "outside of the declared folders")
        await far.refused(RelocateDataset(dataset="1", path=str(path)), "forbidden", "outside")
        with pytest.raises(CallFailed, match="outside") as caught:
            await far.link.call(SearchDatasets(below=str(path)), SearchState)
        assert (caught.value.failure.hint or "").endswith(f"roots add {path.resolve()}")
    files.images(closed / "i")
    (open_ / "list.txt").write_text("../closed/i/image 0.png 1\n")
    await far.refused(AddDataset(path=str(open_ / "list.txt")), "invalid", "outside of the declared folders")
    # Its own person may add anything, and so declares it.
    await client.hashed(AddDataset(path=str(closed / "db")))
    there = (await far.link.call(ListDatasetRoots(), DatasetRoots)).roots
    assert there == [str(root.path / "datasets"), str(open_), str(closed / "db")]
    left = await client.link.call(UndeclareRoot(path=str(open_)), DatasetRoots)
    assert str(open_) not in left.roots
    with pytest.raises(CallFailed, match="outside"):
        await far.link.call(GetSamples(dataset="1"), Samples)


async def test_a_viewer_looks_but_does_not_act(client: Follower, root: Root, tmp_path: Path) -> None:
    await client.hashed(AddDataset(path=str(files.lmdb(tmp_path / "db"))))
    viewer = await introduced(root, "viewer")
    assert await viewer.names() == ["db"]
    assert (await viewer.link.call(GetSamples(dataset="db"), Samples)).samples[0].index == 0
    assert (await viewer.link.call(FollowDatasets(), DatasetList)).datasets
    for call in (
        RemoveDataset(dataset="db"), HashDataset(dataset="db"), RenameDataset(dataset="db", name="x"),
        AddDataset(path=str(tmp_path / "db")), SearchDatasets(), DeclareRoot(path="/"),
    ):  # fmt: skip
        await viewer.refused(call, "forbidden", "may look, but not act")


async def test_paths_that_are_none(client: Follower, tmp_path: Path) -> None:
    await client.refused(AddDataset(path="relative"), "invalid", "not the whole path")
    await client.refused(AddDataset(path="/a\0b"), "invalid", "not the whole path")
    await client.refused(AddDataset(path=str(tmp_path / "none")), "not-found", "there is no")
    await client.refused(AddDataset(path=str(tmp_path)), "invalid", "holds no")
    os.mkfifo(tmp_path / "pipe")
    await client.refused(AddDataset(path=str(tmp_path / "pipe")), "invalid", "no regular file")


# ---------------------------------------------------------------------------------------------------- search


async def test_a_search(client: Follower, tmp_path: Path) -> None:
    files.lmdb(tmp_path / "a" / "db")
    files.hdf5(tmp_path / "a.h5")
    await client.hashed(AddDataset(path=str(tmp_path / "a.h5")))
    state = await client.link.call(SearchDatasets(below=str(tmp_path)), SearchState)
    while state.running:
        await asyncio.sleep(0.02)
        state = await client.link.call(GetSearch(search=state.search), SearchState)
    assert {(one.path, one.kind, one.listed) for one in state.found} == {
        (str(tmp_path / "a" / "db"), "lmdb", ""),
        (str(tmp_path / "a.h5"), "hdf5", "1"),
    }
    assert state.looked == 3 and state.note == ""
    with pytest.raises(CallFailed, match="no search 99"):
        await client.link.call(GetSearch(search="99"), SearchState)


async def test_a_search_is_cancelled(client: Follower, tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / str(number)).mkdir()
    state = await client.link.call(SearchDatasets(below=str(tmp_path)), SearchState)
    stopped = await client.link.call(CancelSearch(search=state.search), SearchState)
    assert not stopped.running and stopped.note == "cancelled"


async def test_children_end_with_the_agent(client: Follower, root: Root, tmp_path: Path) -> None:
    path = large(tmp_path / "large")
    await client.one(AddDataset(path=str(path)))
    await until(lambda: client.share("1"), "it is being hashed")
    children = children_of(client.link.welcome.pid)
    assert children
    nice = [os.getpriority(os.PRIO_PROCESS, pid) for pid in children]
    assert max(nice) >= 10
    os.kill(client.link.welcome.pid, signal.SIGKILL)
    await until(lambda: not any(exists(pid) for pid in children), "what it had started ends too")
    assert json.loads((root.path / "datasets.json").read_text())["datasets"][0]["todo"] == "add"
