"""The life of a session, with a real agent, a real runner and a scripted caffe."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Awaitable

import pytest

from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    CaffeList,
    CheckCaffes,
    DeleteSession,
    Done,
    Failure,
    FollowLog,
    GetFiles,
    GetLines,
    GetSeries,
    GetSession,
    Lines,
    ListSeries,
    ListSessions,
    NewSession,
    PauseSession,
    RenameSession,
    ResetSession,
    Restore,
    SeriesList,
    SeriesWindow,
    SessionFiles,
    SessionList,
    SessionReply,
    SnapshotReply,
    SnapshotSession,
    StartSession,
    State,
    TrashReply,
)

from .agents import Root, Watcher, get, new, solver, until


async def failure(call: Awaitable[object]) -> Failure:
    with pytest.raises(CallFailed) as caught:
        await call
    return caught.value.failure


async def test_a_training_runs_to_its_end(watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(max_iter=120, speed=400, extra="test_iter: 1\ntest_interval: 40\nsnapshot: 50\n"))
    await link.call(FollowLog(session="1", run=1), Done)
    info = await watcher.state(State.FINISHED)
    assert (info.iteration, info.max_iter, info.problems) == (120, 120, [])
    assert info.loss == 0.0025
    assert info.tests == {"accuracy": pytest.approx(120 / 140, rel=1e-5)}
    assert [snapshot.iteration for snapshot in info.snapshots] == [50, 100, 120]
    assert (info.runs[0].exit_code, info.runs[0].signal) == (0, None)
    assert watcher.states[-2:] == [State.RUNNING, State.FINISHED]
    await until(lambda: watcher.ended, "the followed log ends")
    numbers = [int(line.split()[2]) for line in watcher.log.decode().splitlines() if line.startswith("I2")]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_pause_takes_a_verified_snapshot_and_start_goes_on(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(speed=200))
    await watcher.iteration(20)
    reply = await link.call(PauseSession(session="1"), SessionReply)
    assert reply.session.state is State.PAUSING
    paused = await watcher.state(State.PAUSED)
    snapshot = paused.snapshots[-1]
    assert paused.iteration == snapshot.iteration >= 20
    assert (root.session() / snapshot.model).stat().st_size > 0
    # Of a caffe that stops at once the pausing may be over before it is told: the reply said it.
    assert [one for one in watcher.states if one is not State.PAUSING] == [
        State.WAITING,
        State.RUNNING,
        State.PAUSED,
    ]
    await link.call(StartSession(session="1"), SessionReply)
    running = await watcher.iteration(snapshot.iteration + 10)
    assert running.runs[1].resumed_from == snapshot.iteration
    command = json.loads((root.run(2) / "command.json").read_text())
    assert command["argv"][-3:] == ["train", "--solver=solver.prototxt", f"--snapshot={snapshot.state}"]
    kinds = [record["kind"] for record in root.journal()]
    assert kinds[:4] == ["created", "run started", "pause asked", "interrupt sent"]
    assert "snapshot verified" in kinds and "run ended" in kinds


async def test_a_pause_before_training_begins_waits_for_it(watcher: Watcher) -> None:
    await new(watcher.link, solver(before=1.5))
    reply = await watcher.link.call(PauseSession(session="1"), SessionReply)
    assert reply.session.state is State.PAUSING
    await until(lambda: "waits for training" in (watcher.sessions["1"].busy or ""), "it says so")
    # A SIGINT before caffe listens would have killed it without a snapshot.
    info = await watcher.state(State.PAUSED, State.FAILED)
    assert info.state is State.PAUSED and info.snapshots


async def test_a_pause_in_the_test_before_the_first_iteration_loses_nothing(
    root: Root, watcher: Watcher
) -> None:
    link, text = watcher.link, root.session() / "solver.prototxt"
    await new(link, solver(testing=60, extra="snapshot: 20\n"))
    for number, at in ((1, 0), (3, 20)):
        log = root.run(number) / "caffe.log"
        await until(lambda log=log: log.exists() and b"Testing" in log.read_bytes(), "it tests")  # type: ignore[misc]
        # Told of as well: it was paused before.
        await watcher.state(State.RUNNING)
        await link.call(PauseSession(session="1"), SessionReply)
        info = await watcher.state(State.PAUSED, State.FAILED)
        assert (info.state, info.iteration, info.problems) == (State.PAUSED, at, [])
        if number == 1:
            assert info.snapshots == []
            text.write_text(text.read_text().replace('"testing": 60', '"speed": 200'))
            await link.call(StartSession(session="1"), SessionReply)
            await watcher.iteration(30)
            await link.call(PauseSession(session="1"), SessionReply)
            await watcher.state(State.PAUSED)
            text.write_text(text.read_text().replace('"speed": 200', '"testing": 60'))
            await link.call(StartSession(session="1", snapshot=20), SessionReply)


async def test_a_snapshot_is_answered_when_it_is_whole(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100, before=0.5))
    reply = await watcher.link.call(SnapshotSession(session="1"), SnapshotReply)
    assert (root.session() / reply.snapshot.state).exists()
    info = await get(watcher.link)
    assert info.state is State.RUNNING
    assert info.snapshots == [reply.snapshot]
    again = await watcher.link.call(SnapshotSession(session="1"), SnapshotReply)
    assert again.snapshot.iteration > reply.snapshot.iteration


async def test_large_snapshots_are_judged_too(root: Root, watcher: Watcher) -> None:
    # Large: read by a process of its own, so that neither memory nor event loop of the agent suffer.
    await new(watcher.link, solver(speed=100, model_size=1_000_000))
    taken = (await watcher.link.call(SnapshotSession(session="1"), SnapshotReply)).snapshot
    assert taken.size > 8_000_000
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    paused = await watcher.state(State.PAUSED)
    newest = root.session() / paused.snapshots[-1].model
    newest.write_bytes(newest.read_bytes()[:-1000])
    started = (await watcher.link.call(StartSession(session="1"), SessionReply)).session
    assert started.runs[-1].resumed_from == paused.snapshots[-2].iteration


async def test_start_from_a_chosen_snapshot(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(speed=400, extra="snapshot: 20\n"))
    await watcher.iteration(70)
    await link.call(PauseSession(session="1"), SessionReply)
    await watcher.state(State.PAUSED)
    wrong = await failure(link.call(StartSession(session="1", snapshot=33), SessionReply))
    assert wrong.code == "invalid" and "20, 40, 60" in wrong.hint
    await link.call(StartSession(session="1", snapshot=20), SessionReply)
    await watcher.trains(2)
    await link.call(PauseSession(session="1"), SessionReply)
    info = await watcher.state(State.PAUSED)
    await link.call(StartSession(session="1"), SessionReply)
    # The newest is the one that was written last, though others have a higher iteration.
    assert (await get(link)).runs[-1].resumed_from == info.iteration


@pytest.mark.parametrize(("force", "name"), [("term", "SIGTERM"), ("kill", "SIGKILL")])
async def test_force_ends_a_caffe_that_does_not_listen(watcher: Watcher, force: str, name: str) -> None:
    await new(watcher.link, solver(deaf=True, speed=100))
    await watcher.iteration(10)
    await watcher.link.call(PauseSession(session="1", force=force), SessionReply)  # type: ignore[arg-type]
    info = await watcher.state(State.FAILED)
    assert "by force" in info.problems[0].text and name in info.problems[0].text
    assert info.runs[0].signal == {"SIGTERM": 15, "SIGKILL": 9}[name]


async def test_a_failed_check_is_told_with_its_line_and_a_hint(watcher: Watcher) -> None:
    await new(watcher.link, solver(fatal_at=10, speed=0))
    info = await watcher.state(State.FAILED)
    problem = info.problems[0]
    assert "out of memory" in problem.text and "batch_size" in (problem.hint or "")
    assert info.runs[0].signal == 6
    assert problem.line is not None
    lines = await watcher.link.call(GetLines(session="1", run=1, kinds=["error"]), Lines)
    assert problem.line - 1 in [line.number for line in lines.lines]


async def test_exit_code_0_is_not_finished(watcher: Watcher) -> None:
    await new(watcher.link, solver(vanish_at=30, speed=0))
    info = await watcher.state(State.FAILED)
    assert "exit code 3" in info.problems[0].text
    assert info.runs[0].exit_code == 3


async def test_a_missing_executable_is_named(root: Root, watcher: Watcher) -> None:
    missing = root.path / "no" / "caffe"
    wrapper = root.path / "wrapper"
    wrapper.write_text("#!/no/such/interpreter\n")
    wrapper.chmod(0o755)
    entries = [{"name": "gone", "argv": [str(missing)]}, {"name": "broken", "argv": [str(wrapper)]}]
    (root.path / "caffes.json").write_text(json.dumps(entries))
    listed = await watcher.link.call(CheckCaffes(), CaffeList)
    found = {info.name: info.problem for info in listed.caffes}
    assert "not there" in (found["gone"] or "") and found["broken"]
    call = NewSession(solver=solver(), net="name: 'n'", caffe="broken")
    await watcher.link.call(call, SessionReply)
    text = (root.session() / "net.prototxt").read_text()
    assert text == "name: 'n'"


async def test_a_run_that_cannot_execute_fails_with_the_reason(root: Root, watcher: Watcher) -> None:
    wrapper = root.path / "wrapper"
    wrapper.write_text("#!/no/such/interpreter\n")
    wrapper.chmod(0o755)
    (root.path / "caffes.json").write_text(json.dumps([{"name": "scripted", "argv": [str(wrapper)]}]))
    await new(watcher.link, solver())
    info = await watcher.state(State.FAILED)
    assert "could not be started" in info.problems[0].text and "No such file" in info.problems[0].text


async def test_what_is_wrong_with_the_files_is_listed_and_refused(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    net = 'layer { name: "ip" type: "InnerProduct" bottom: "nowhere" top: "ip" }'
    call = NewSession(name="bad", solver=solver(), net=net, caffe="scripted")
    info = (await link.call(call, SessionReply)).session
    assert info.state is State.INVALID
    assert any("nowhere" in problem.text and problem.file == "net.prototxt" for problem in info.problems)
    refused = await failure(link.call(StartSession(session="bad"), SessionReply))
    assert refused.code == "invalid" and refused.problems == info.problems
    # Corrected by hand: the agent notices by itself.
    from .agents import NET

    (root.session() / "net.prototxt").write_text(NET)
    await watcher.state(State.WAITING)


async def test_raising_max_iter_lets_a_finished_session_go_on(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(max_iter=30, speed=0))
    await watcher.state(State.FINISHED)
    refused = await failure(link.call(StartSession(session="1"), SessionReply))
    assert refused.code == "refused" and "max_iter" in refused.text
    path = root.session() / "solver.prototxt"
    path.write_text(path.read_text().replace("max_iter: 30", "max_iter: 60"))
    await watcher.state(State.PAUSED)
    await link.call(StartSession(session="1"), SessionReply)
    info = await watcher.state(State.FINISHED)
    assert info.iteration == 60 and info.runs[1].resumed_from == 30


async def test_wrong_moments_are_refused_with_what_to_do_first(watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(), start=False, name="one")
    for call in (PauseSession(session="one"), SnapshotSession(session="one")):
        refused = await failure(link.call(call, SessionReply))
        assert refused.code == "refused"
        assert refused.text == "one is not running: start it first"
    await link.call(StartSession(session="one"), SessionReply)
    again = StartSession(session="one", snapshot=10)
    for call in (ResetSession(session="one"), DeleteSession(session="one"), again):
        refused = await failure(link.call(call, SessionReply))
        assert "running" in refused.text


async def test_reset_and_delete_go_to_the_trash_and_come_back(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(max_iter=40, speed=0, extra="snapshot: 20\n"))
    before = await watcher.state(State.FINISHED)
    reset = await link.call(ResetSession(session="1"), TrashReply)
    assert reset.files >= 8
    info = await get(link)
    assert (info.state, info.runs, info.snapshots, info.iteration) == (State.WAITING, [], [], 0)
    restored = (await link.call(Restore(trash=reset.trash), SessionReply)).session
    assert restored == before
    deleted = await link.call(DeleteSession(session="1"), TrashReply)
    assert not root.session().exists()
    assert (await link.call(ListSessions(), SessionList)).sessions == []
    again = (await link.call(Restore(trash=deleted.trash), SessionReply)).session
    assert again == before
    assert (await failure(link.call(Restore(trash=deleted.trash), SessionReply))).code == "not-found"


async def test_numbers_are_never_used_again(watcher: Watcher) -> None:
    link = watcher.link
    for number in ("1", "2"):
        assert (await new(link, solver(), start=False)).id == number
        await link.call(DeleteSession(session=number), TrashReply)
    assert (await new(link, solver(), start=False)).id == "3"


async def test_sessions_are_found_by_number_name_and_prefix(watcher: Watcher) -> None:
    link = watcher.link
    for name in ("", "", "lenet"):
        await new(link, solver(), start=False, name=name)
    listed = (await link.call(ListSessions(), SessionList)).sessions
    assert [session.name for session in listed] == ["tiny", "tiny-2", "lenet"]
    assert (await get(link, "lenet")).id == "3"
    renamed = await link.call(RenameSession(session="2", name="  lenet "), SessionReply)
    assert renamed.session.name == "lenet"
    ambiguous = await failure(link.call(GetSession(session="lenet"), SessionReply))
    assert ambiguous.code == "ambiguous" and "2, 3" in ambiguous.text
    assert (await failure(link.call(GetSession(session="9"), SessionReply))).code == "not-found"


async def test_lines_by_kind_from_the_end_and_from_the_start(watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(max_iter=100, display=1, speed=0, extra="test_iter: 1\ntest_interval: 10\n"))
    await watcher.state(State.FINISHED)
    everything = await link.call(GetLines(session="1", run=1, start=0, count=10_000), Lines)
    assert everything.total == len(everything.lines)
    assert [line.number for line in everything.lines] == list(range(everything.total))
    for kinds in (["metric"], ["test", "error"], ["event"]):
        wanted = [line for line in everything.lines if line.kind in kinds]
        part = await link.call(GetLines(session="1", run=1, start=-7, count=5, kinds=kinds), Lines)
        assert part.lines == wanted[-7:][:5] and part.total == len(wanted)
        assert part.start == max(0, len(wanted) - 7)
        middle = await link.call(GetLines(session="1", run=1, start=3, count=4, kinds=kinds), Lines)
        assert middle.lines == wanted[3:7]
    beyond = await link.call(GetLines(session="1", run=1, start=10**6, count=5), Lines)
    assert beyond.lines == []
    assert (await failure(link.call(GetLines(session="1", run=1, kinds=["odd"]), Lines))).code == "invalid"
    assert (await failure(link.call(GetLines(session="1", run=7), Lines))).code == "not-found"


async def test_series_are_stitched_and_decimated(watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(speed=400, display=1, extra="snapshot: 20\n"))
    await watcher.iteration(50)
    await link.call(PauseSession(session="1"), SessionReply)
    await watcher.state(State.PAUSED)
    await link.call(StartSession(session="1", snapshot=20), SessionReply)
    await watcher.trains(2)
    await link.call(PauseSession(session="1"), SessionReply)
    end = (await watcher.state(State.PAUSED)).iteration
    keys = (await link.call(ListSeries(session="1"), SeriesList)).keys
    loss = next(key for key in keys if key.name == "loss" and key.output == -1)

    async def ask(**options: object) -> tuple[tuple[float, ...], tuple[int, ...], int]:
        call = GetSeries(session="1", keys=[loss], **options)  # type: ignore[arg-type]
        one = (await link.call(call, SeriesWindow)).series[0]
        size = len(one.x) // 8
        return struct.unpack(f"<{size}d", one.x), struct.unpack(f"<{size}i", one.run), one.points

    x, run, points = await ask(buckets=100_000)
    # The row of iteration 20 is printed by both; what run 1 did after it led nowhere.
    assert list(x) == list(range(end)) and points == end
    assert run == (1,) * 20 + (2,) * (end - 20)
    x, _, points = await ask(buckets=7)
    assert len(x) <= 7 and points == end
    x, run, _ = await ask(raw=True)
    assert list(x) == sorted(x[: run.index(2)]) + sorted(x[run.index(2) :]) and x[run.index(2)] == 20
    x, _, _ = await ask(x0=5, x1=9)
    assert list(x) == [5, 6, 7, 8, 9]
    times, _, _ = await ask(axis="time")
    assert all(math.isfinite(time) for time in times) and list(times) == sorted(times)


async def test_files_of_a_session_are_fit_for_its_folder(root: Root, watcher: Watcher) -> None:
    net = 'layer { name: "d" type: "Data" top: "x" data_param { source: "train_lmdb" backend: LMDB } }'
    text = 'net: "models/lenet.prototxt" # mine\nsnapshot_prefix: "out/lenet"\nsolver_mode: GPU\n'
    call = NewSession(solver=text, net=net, base="/data/mnist", caffe="scripted")
    await watcher.link.call(call, SessionReply)
    files = await watcher.link.call(GetFiles(session="1"), SessionFiles)
    assert files.solver == 'net: "net.prototxt" # mine\nsnapshot_prefix: "lenet"\nsolver_mode: CPU\n'
    assert 'source: "/data/mnist/train_lmdb"' in files.net
