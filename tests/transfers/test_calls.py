"""What an agent hands out and takes in: to whom, within which bounds, and what a full disk costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from barista_server.api.frames import encode
from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.local import connect
from barista_server.api.messages import (
    AddDataset,
    DatasetReply,
    DatasetRoots,
    Defaults,
    Done,
    GetDataset,
    Introduction,
    PauseSession,
    Ping,
    SessionReply,
    SetDefaults,
    State,
    UndeclareRoot,
)
from barista_server.api.transfers import (
    CHUNK,
    Arrived,
    Chunk,
    Export,
    ExportDataset,
    ExportSession,
    FinishImport,
    ImportState,
    OpenImport,
    Parcel,
    ParcelFile,
    ReadChunk,
    WriteChunk,
)
from barista_tui.transfer import carry
from barista_tui.transfer_ends import FolderSource, FolderTarget, HostSource, HostTarget
from tests.agent.agents import NET, Root, Watcher, get, new, solver
from tests.data import dataset_files
from tests.survival.test_disk import fill, small

__all__ = ["small"]
KEY = "0123456789abcdef"


@pytest_asyncio.fixture
async def link(root: Root) -> AsyncIterator[Link]:
    yield await root.link()


def session_folder(folder: Path, size: int = 0) -> Path:
    folder.mkdir()
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(f'net: "net.prototxt"\nsnapshot_prefix: "snapshot"\n{solver(50)}')
    if size:
        (folder / "notes.bin").write_bytes(bytes(range(256)) * (size // 256))
    return folder


def opening(path: str = "a", key: str = KEY, size: int = 3, **more: object) -> OpenImport:
    one = ParcelFile(path=path, size=size, mtime=1)
    parcel = Parcel(kind="session", name="x", origin="o", files=[one], **more)  # type: ignore[arg-type]
    return OpenImport(key=key, parcel=parcel, attempt="1")


async def refused(link: Link, call: object, code: str, words: str) -> None:
    with pytest.raises(CallFailed, match=words) as caught:
        await link.call(call, Done)  # type: ignore[arg-type]
    assert caught.value.failure.code == code


async def test_hostile_imports_make_nothing(root: Root, link: Link) -> None:
    before = sorted(root.path.rglob("*"))
    for path in ("../../x", "/tmp/x", "a/../../x", "x.part"):
        await refused(link, opening(path), "invalid", "cannot be copied")
    for key in ("../../../../tmp/x", "", "A" * 32, KEY + "/x"):
        await refused(link, opening(key=key), "invalid", "nothing that a host takes in")
    await refused(link, opening(size=1 << 49), "disk", "has .* free")
    await refused(link, FinishImport(handle="x"), "not-found", "was ended")
    made = {path for path in sorted(root.path.rglob("*")) if path not in before}
    assert made <= {root.path / "incoming", *(root.path / "incoming").rglob("*")}
    assert not [path for path in made if path.is_file()]


async def test_an_import_is_what_was_said_or_nothing(root: Root, link: Link) -> None:
    state = await link.call(opening(), ImportState)
    await refused(link, FinishImport(handle=state.handle), "refused", "not there yet")
    await refused(
        link, WriteChunk(handle=state.handle, file=0, offset=1, data=b"x"), "refused", "goes on at 0"
    )
    await link.call(WriteChunk(handle=state.handle, file=0, offset=0, data=b"ab"), Done)
    other = await root.link()
    again = await other.call(opening(), ImportState)
    assert again.at == [2]
    await refused(
        link, WriteChunk(handle=state.handle, file=0, offset=2, data=b"c"), "not-found", "begun anew"
    )
    await other.call(WriteChunk(handle=again.handle, file=0, offset=2, data=b"c"), Done)
    target = HostTarget(other, "1")
    target._handle = again.handle
    with pytest.raises(CallFailed, match="did not arrive as it was sent"):
        await target.check([0], ["0" * 64])
    assert (await other.call(opening(), ImportState)).at == [0]
    assert not list((root.path / "sessions").iterdir())


async def test_what_is_no_session_is_refused_and_a_plain_folder_becomes_one(
    root: Root, link: Link, tmp_path: Path
) -> None:
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "a").write_text("a")
    with pytest.raises(CallFailed, match="no folder of a training: no solver is in it"):
        await carry(FolderSource(tmp_path / "junk", "junk"), HostTarget(link, "1"), lambda progress: None)
    await link.call(SetDefaults(caffe="scripted"), Defaults)
    folder = session_folder(tmp_path / "plain", 3 * CHUNK)
    for name in ("plain", "plain-2"):
        source, target = FolderSource(folder, "plain"), HostTarget(link, name)
        arrived = (await carry(source, target, lambda progress: None)).arrived
        assert arrived.session is not None
        assert (arrived.session.name, arrived.session.state) == (name, State.WAITING), arrived.session
        assert (arrived.session.caffe, arrived.session.device, arrived.notes[1:]) == ("scripted", "cpu", [])
        assert (Path(arrived.path) / "notes.bin").read_bytes() == (folder / "notes.bin").read_bytes()
    # The same try once more, as after an answer that was lost: it is known what became of it.
    finished = (await carry(FolderSource(folder, "plain"), target, lambda progress: None)).arrived
    assert finished.session is not None and finished.session.id == arrived.session.id
    assert len(list((root.path / "sessions").iterdir())) == 2


async def test_an_answer_that_is_lost_is_told_to_the_next_try(root: Root, link: Link, tmp_path: Path) -> None:
    folder = session_folder(tmp_path / "plain", 20 << 20)

    class Hasty(HostTarget):
        async def finish(self) -> Arrived:
            asking = asyncio.create_task(super().finish())
            await asyncio.sleep(0)
            await link.close()
            return await asking

    with pytest.raises(LinkError):
        await carry(
            FolderSource(folder, "plain"), Hasty(link, "mine", caffe="scripted"), lambda progress: None
        )
    again = HostTarget(await root.link(), "mine", caffe="scripted")
    out = await carry(FolderSource(folder, "plain"), again, lambda progress: None)
    assert out.arrived.session is not None and out.copied == 0
    assert [one.name for one in (root.path / "sessions").iterdir()] == ["1"]
    assert len(list((root.path / "incoming").iterdir())) == 1


async def test_a_copy_never_takes_the_processes_of_its_source_for_its_own(
    root: Root, link: Link, tmp_path: Path
) -> None:
    watcher = Watcher(link)
    await watcher.subscribe()
    await new(link, solver(speed=100), name="runs")
    await watcher.iteration(10)
    out = await carry(
        HostSource(link, ExportSession(session="runs")), FolderTarget(tmp_path), lambda progress: None
    )
    assert Path(out.arrived.path) == tmp_path / "runs" and out.parcel.left_out == []
    source, target = FolderSource(tmp_path / "runs", "copy"), HostTarget(link, "1", name="copy")
    arrived = (await carry(source, target, lambda progress: None)).arrived
    assert arrived.session is not None and arrived.session.state is State.INTERRUPTED
    with pytest.raises(CallFailed, match="not running"):
        await link.call(PauseSession(session="copy"), SessionReply)
    assert (await get(link, "1")).state is State.RUNNING


async def test_a_viewer_may_copy_sessions_but_no_datasets_and_change_nothing(
    root: Root, link: Link, tmp_path: Path
) -> None:
    await new(link, solver(), start=False, name="mine")
    data = dataset_files.hdf5(tmp_path / "one.h5")
    dataset = (await link.call(AddDataset(path=str(data)), DatasetReply)).dataset
    reader, writer = await connect(root.path)
    writer.write(encode(Introduction(role="viewer")))
    viewer = await Link.over(reader, writer)
    root.links.append(viewer)
    out = await carry(
        HostSource(viewer, ExportSession(session="mine")), FolderTarget(tmp_path), lambda progress: None
    )
    assert (tmp_path / "mine" / "net.prototxt").read_text() == (root.session() / "net.prototxt").read_text()
    assert out.copied == out.total
    for call in (ExportDataset(dataset=dataset.id), opening()):
        await refused(viewer, call, "forbidden", "may look, but not act")
    # Handles belong to the connection they were given to.
    export = await link.call(ExportSession(session="mine"), Export)
    await refused(viewer, ReadChunk(handle=export.handle, file=0, offset=0, size=1), "not-found", "not open")
    with pytest.raises(CallFailed, match="has no 9999 bytes"):
        await link.call(ReadChunk(handle=export.handle, file=0, offset=0, size=9999), Chunk)


async def test_datasets_leave_declared_folders_only(root: Root, link: Link, tmp_path: Path) -> None:
    outside = tmp_path / "outside.h5"
    folder = tmp_path / "data"
    folder.mkdir()
    listed = dataset_files.hdf5_list(folder / "list.txt", dataset_files.hdf5(folder / "in.h5"))
    dataset = (await link.call(AddDataset(path=str(listed)), DatasetReply)).dataset
    while (await link.call(GetDataset(dataset=dataset.id), DatasetReply)).dataset.job is not None:
        pass
    dataset_files.hdf5(outside)
    listed.write_text(f"{folder}/in.h5\n{outside}\n")
    await refused(link, ExportDataset(dataset=dataset.id), "forbidden", "outside of the declared folders")
    listed.write_text(f"{folder}/in.h5\n")
    export = await link.call(ExportDataset(dataset=dataset.id), Export)
    assert [file.path for file in export.parcel.files] == ["list.txt", "files/000000.h5"]
    await link.call(UndeclareRoot(path=str(folder)), DatasetRoots)
    await refused(link, ExportDataset(dataset=dataset.id), "forbidden", "outside of the declared folders")


async def test_a_source_that_is_written_to_is_noticed_and_the_next_try_is_whole(
    root: Root, link: Link, tmp_path: Path
) -> None:
    source = session_folder(tmp_path / "from", 6 << 20)
    arrived = (
        await carry(FolderSource(source, "mine"), HostTarget(link, "1"), lambda progress: None)
    ).arrived
    notes = Path(arrived.path) / "notes.bin"
    done = False

    def rough(progress: object) -> None:
        nonlocal done
        if not done and progress.done > 1 << 20:  # type: ignore[attr-defined]
            done = True
            with notes.open("r+b") as opened:
                opened.seek(5 << 20)
                opened.write(b"other")

    call = ExportSession(session="mine")
    with pytest.raises(CallFailed, match=r"notes.bin was written to while it was copied") as caught:
        await carry(HostSource(link, call), FolderTarget(tmp_path / "to"), rough)
    assert caught.value.failure.code == "changed"
    assert not (tmp_path / "to" / "mine").exists()
    await carry(HostSource(link, call), FolderTarget(tmp_path / "to"), rough)
    assert (tmp_path / "to" / "mine" / "notes.bin").read_bytes() == notes.read_bytes()
    assert [one.name for one in (tmp_path / "to").iterdir()] == ["mine"]


async def test_a_disk_that_fills_is_said_and_gone_on_with(small: Root, tmp_path: Path) -> None:
    link = await small.link()
    large = session_folder(tmp_path / "large", 30 << 20)
    with pytest.raises(CallFailed, match=r"bytes are to come, and the disk of .* free") as caught:
        await carry(FolderSource(large, "large"), HostTarget(link, "1"), lambda progress: None)
    assert caught.value.failure.code == "disk" and "it goes on" in (caught.value.failure.hint or "")
    # Room that others take while it is copied.
    await small.end()
    small.links.clear()
    process = await asyncio.create_subprocess_exec("mount", "-o", "remount,size=30m", str(small.path))
    assert await process.wait() == 0
    link = await small.link()
    fits = session_folder(tmp_path / "fits", 8 << 20)
    ballast: list[Path] = []

    def rough(progress: object) -> None:
        if not ballast and progress.done > 2 << 20:  # type: ignore[attr-defined]
            ballast.append(fill(small.path))

    with pytest.raises(CallFailed, match="No space left") as caught:
        await carry(FolderSource(fits, "fits"), HostTarget(link, "1"), rough)
    assert caught.value.failure.code == "disk"
    ballast[0].unlink()
    seen = []
    out = await carry(FolderSource(fits, "fits"), HostTarget(link, "2"), seen.append)
    assert seen[0].resumed >= 1 << 20 and out.copied < out.total
    assert (Path(out.arrived.path) / "notes.bin").read_bytes() == (fits / "notes.bin").read_bytes()


async def test_others_hardly_notice_a_copy(root: Root, link: Link, tmp_path: Path) -> None:
    folder = session_folder(tmp_path / "from", 200 << 20)
    other = await root.link()
    copy = asyncio.create_task(carry(FolderSource(folder, "x"), HostTarget(link, "1"), lambda progress: None))
    waits = []
    while not copy.done():
        began = time.monotonic()
        await asyncio.to_thread(lambda: None)
        await other.call(Ping(), Done)
        waits.append(time.monotonic() - began)
        await asyncio.sleep(0.005)
    assert isinstance((await copy).arrived, Arrived)
    # The client's own loop is in it too; both share two cores with other tests.
    assert sorted(waits)[int(0.9 * len(waits))] < 0.25, sorted(waits)[-5:]
