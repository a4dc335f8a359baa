"""Moving sessions between two real agents, one behind a real sshd; what breaks on the way breaks nothing."""

from __future__ import annotations

import asyncio
import filecmp
from pathlib import Path

import pytest

from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    AddDataset,
    DatasetList,
    DatasetReply,
    GetDataset,
    GetFiles,
    ListDatasets,
    NewSession,
    PauseSession,
    Restore,
    SessionFiles,
    SessionReply,
    State,
)
from barista_server.caffe.schema import BlobProto
from barista_tui.moving import MissingData, MoveError, Wish, copy_dataset, move
from barista_tui.target import Target
from tests.agent.agents import NET, Root, Watcher, get, new, solver, until
from tests.data import dataset_files

from .conftest import Far, Told

pytestmark = pytest.mark.real("sshd")
MODEL = 4_000_000
"""Numbers: a snapshot of 32 MB, in some sixty pieces."""


async def watched(root: Root) -> Watcher:
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    return watcher


async def paused(watcher: Watcher, session: str = "1") -> None:
    await watcher.link.call(PauseSession(session=session), SessionReply)
    await watcher.state(State.PAUSED, session=session)


def same(one: Path, other: Path, *but: str) -> list[str]:
    """Files of two folders that differ, or are in one only."""
    found = filecmp.dircmp(one, other, ignore=list(but))
    inner = [f"{name}/{file}" for name in found.common_dirs for file in same(one / name, other / name, *but)]
    _, differ, odd = filecmp.cmpfiles(one, other, found.common_files, shallow=False)
    return [*differ, *odd, *found.left_only, *found.right_only, *inner]


async def test_a_running_session_goes_on_at_the_other_host(root: Root, far_root: Root, far: Far) -> None:
    here = await watched(root)
    there = await watched(far_root)
    await new(there.link, solver(), start=False, name="mine")
    await new(here.link, solver(model_size=1000), name="mine")
    await here.iteration(50)
    told = Told.make()
    moved = await move(Target(root.path), far, Wish("mine"), told)
    stopped = next(one for one in root_trash(root) if one.suffix == ".solverstate")
    iteration = int(stopped.stem.rpartition("_")[2])
    info = await there.trains(2, session="2")
    assert (info.name, info.state, info.runs[-1].resumed_from) == ("mine-2", State.RUNNING, iteration)
    assert info.iteration >= iteration >= 50 and info.caffe == "scripted"
    assert moved.session.id == "2" and not moved.problems
    came = info.lineage[0]
    assert (came.id, came.name, came.how, info.parent) == ("1", "mine", "copy", None)
    assert came.place.endswith(f":{root.session()}")
    # The log of before came along; what was said there is still said.
    assert "Optimization stopped early." in (far_root.run(1, "2") / "caffe.log").read_text()
    kinds = [one["kind"] for one in far_root.journal("2")]
    assert kinds[-2:] == ["adopted", "run started"] or "adopted" in kinds
    await until(lambda: "1" not in here.sessions or not root.session().exists(), "it is gone here")
    back = (await here.link.call(Restore(trash=moved.trash), SessionReply)).session
    assert (back.state, back.snapshots[-1].iteration) == (State.PAUSED, iteration)
    away = next(one for one in root.journal() if one["kind"] == "moved away")
    assert away["number"] == "2" and away["to"].startswith("far:")
    assert not list((far_root.path / "incoming").glob("*/"))


def root_trash(root: Root) -> list[Path]:
    return list((root.path / "trash").rglob("*"))


async def test_agents_killed_and_links_cut_in_the_middle_cost_only_time(
    root: Root, far_root: Root, far: Far
) -> None:
    here = await watched(root)
    await new(here.link, solver(model_size=MODEL), name="large")
    await here.iteration(20)
    await paused(here)
    for number, rough in enumerate((far.kill_agent, far.cut), 1):
        told = Told.make(rough)
        moved = await move(Target(root.path), far, Wish("large", start=False, keep=True), told)
        assert told.breaks, "nothing broke"
        assert moved.outcome.copied < 0.8 * moved.outcome.total, "it began anew"
        assert told.progress[-1].done == told.progress[-1].total
        odd = same(root.session(), far_root.session(str(number)), "starting.lock")
        own = ["journal.jsonl", "runs/0001/command.json", "runs/0001/process.json"]
        assert sorted({*odd} - {"session.json"}) == own
        info = await get(await far_root.link(), str(number))
        assert info.state is State.PAUSED and len(info.snapshots) == 1
    # Left by a person in the middle, and begun again.
    task: asyncio.Task[object] | None = None
    told = Told.make(lambda: task and task.cancel())
    task = asyncio.create_task(move(Target(root.path), far, Wish("large", start=False), told))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await get(here.link)).state is State.PAUSED
    again = Told.make()
    moved = await move(Target(root.path), far, Wish("large", start=False), again)
    assert again.progress[0].resumed > 0.4 * moved.outcome.total
    assert moved.session.id == "3"


async def test_what_does_not_start_there_goes_on_here(root: Root, far_root: Root, far: Far) -> None:
    here = await watched(root)
    there = await watched(far_root)
    info = await new(here.link, solver(speed=100, vanish_at=1_000_000), name="mine")
    await here.iteration(20)
    (far_root.path / "caffes.json").write_text('[{"name": "scripted", "argv": ["/bin/false"]}]')
    told = Told.make()
    with pytest.raises(MoveError, match="does not train on far"):
        await move(Target(root.path), far, Wish("mine"), told)
    info = await here.state(State.RUNNING)
    await here.trains(2)
    assert "mine goes on here" in told.steps and info.runs[-1].resumed_from
    assert not [one for one in (far_root.path / "sessions").iterdir() if one.name.isdecimal()]
    # Known before anything is stopped.
    (far_root.path / "caffes.json").write_text("[]")
    with pytest.raises(MoveError, match="no caffe 'scripted' that works"):
        await move(Target(root.path), far, Wish("mine"), Told.make())
    assert (await get(here.link)).state is State.RUNNING and len((await get(here.link)).runs) == 2
    assert there.sessions.keys() <= {"1"}


async def test_an_agent_killed_as_it_has_started_it_does_not_start_it_twice(
    root: Root, far_root: Root, far: Far
) -> None:
    here = await watched(root)
    await new(here.link, solver(before=1.0), name="mine")
    await here.iteration(20)
    told = Told.make()

    async def rough() -> None:
        await until((far_root.run(2) / "process.json").exists, "it is started")
        far.kill_agent()

    breaking = asyncio.create_task(rough())
    moved = await move(Target(root.path), far, Wish("mine"), told)
    await breaking
    assert told.breaks and moved.session.state is State.RUNNING and moved.trash
    assert [run.number for run in (await get(await far_root.link())).runs] == [1, 2]


async def test_data_is_known_by_its_content_and_named_where_it_is(
    root: Root, far_root: Root, far: Far, tmp_path: Path
) -> None:
    here = await root.link()
    there = await far_root.link()
    data = dataset_files.lmdb(tmp_path / "train_lmdb")
    mean = tmp_path / "mean.binaryproto"
    mean.write_bytes(BlobProto(num=1, channels=3, height=4, width=5, data=[1.0] * 60).SerializeToString())
    await here.call(AddDataset(path=str(data), name="train"), DatasetReply)
    net = NET.replace('type: "DummyData"', 'type: "Data"').replace(
        "dummy_data_param { shape { dim: 1 dim: 4 } shape { dim: 1 dim: 1 } }",
        f'transform_param {{ mean_file: "{mean}" }}\n'
        f'data_param {{ source: "{data}" backend: LMDB batch_size: 1 }}  # the data',
    )
    assert "data_param { source" in net
    call = NewSession(name="fed", solver=solver(max_iter=60), net=net, caffe="scripted")
    made = (await here.call(call, SessionReply)).session
    assert made.state is State.WAITING, made.problems
    moved_away = tmp_path / "elsewhere"

    mine = (await here.call(GetDataset(dataset="train"), DatasetReply)).dataset
    while mine.job is not None:
        mine = (await here.call(GetDataset(dataset="train"), DatasetReply)).dataset
    # As if on another machine: the path means nothing there.
    data.rename(moved_away)
    try:
        with pytest.raises(MissingData, match="train_lmdb") as caught:
            await move(Target(root.path), far, Wish("fed"), Told.make())
        assert "--with-data" in (caught.value.hint or "")
        found = (await there.call(ListDatasets(), DatasetList)).datasets
        assert not found
    finally:
        moved_away.rename(data)
    dataset, outcome = await copy_dataset(Target(root.path), far, "train", Told.make())
    assert outcome is not None and outcome.total == (data / "data.mdb").stat().st_size
    assert Path(dataset.path) == far_root.path / "datasets" / "train"
    assert dataset.content == mine.content
    again, nothing = await copy_dataset(Target(root.path), far, "train", Told.make())
    assert nothing is None and again.id == dataset.id
    moved = await move(Target(root.path), far, Wish("fed"), Told.make())
    files = await there.call(GetFiles(session=moved.session.id), SessionFiles)
    assert f'source: "{dataset.path}" backend: LMDB batch_size: 1 }}  # the data' in files.net
    # A mean is small: it comes along, and is named where it is.
    assert 'mean_file: "brought/mean.binaryproto"' in files.net
    assert (far_root.session(moved.session.id) / "brought" / mean.name).read_bytes() == mean.read_bytes()
    assert any(dataset.path in note for note in moved.outcome.arrived.notes)


async def test_every_kind_of_dataset_is_the_same_there(
    root: Root, far_root: Root, far: Far, tmp_path: Path
) -> None:
    here = await root.link()
    (tmp_path / "deep").mkdir()
    one, two = dataset_files.hdf5(tmp_path / "a.h5"), dataset_files.hdf5(tmp_path / "deep" / "a.h5", 5, 2)
    paths = {
        "leveldb": dataset_files.leveldb(tmp_path / "level"),
        "hdf5": dataset_files.hdf5(tmp_path / "one.h5", 7, 3),
        "hdf5-list": dataset_files.hdf5_list(tmp_path / "list.txt", one, two),
        "image-list": dataset_files.images(tmp_path / "deep" / "images"),
    }
    for kind, path in paths.items():
        await here.call(AddDataset(path=str(path), name=f"my {kind}"), DatasetReply)
    for kind in paths:
        dataset, outcome = await copy_dataset(Target(root.path), far, f"my {kind}", Told.make())
        mine = (await here.call(GetDataset(dataset=f"my {kind}"), DatasetReply)).dataset
        assert (dataset.content, dataset.facts.kind, dataset.name) == (mine.content, kind, f"my {kind}")
        assert Path(dataset.path).is_relative_to(far_root.path / "datasets" / f"my-{kind}")
        assert outcome is not None and outcome.copied == outcome.total > 0
        if kind == "hdf5-list":
            names = listed(Path(dataset.path))
            assert len(names) == 2 and all(name.startswith(str(far_root.path)) for name in names)


def listed(path: Path) -> list[str]:
    """Names of files in a list, which are there."""
    return [name for name in path.read_text().split() if Path(name).is_file()]


async def test_what_cannot_be_moved_says_why(root: Root, far: Far) -> None:
    here = await root.link()
    await new(here, solver(), start=False, name="mine")
    with pytest.raises(CallFailed, match="no session 'other'"):
        await move(Target(root.path), far, Wish("other"), Told.make())
    with pytest.raises(MoveError, match="already"):
        await move(Target(root.path), Target(root.path), Wish("mine"), Told.make())
