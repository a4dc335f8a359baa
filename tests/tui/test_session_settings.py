"""What a session trains with and when, chosen on screen: through a real agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Select

from barista_server.api.messages import (
    CaffeInfo,
    ConfigureSession,
    Defaults,
    DeviceInfo,
    Queued,
    QueueSession,
    SessionInfo,
    SetDefaults,
    SlurmOptions,
    State,
    UnqueueSession,
)
from barista_tui import choosing
from barista_tui.app import BaristaApp
from barista_tui.screens.new_session import NewSessionScreen
from barista_tui.screens.session_settings import SessionSettings
from barista_tui.store import Key

from .support import NET, made, opened, shown, solver, state_of, until

LENET = SessionInfo(
    id="3", name="lenet", state=State.WAITING, folder="", created=0.0, caffe="scripted", revision=7
)


# ------------------------------------------------------------------------------------ what is asked for, pure


def test_only_what_differs_is_asked_for() -> None:
    wish = choosing.wish_of(LENET)
    assert choosing.configure(LENET, wish) is None and choosing.queueing(LENET, wish) is None
    job = SlurmOptions(gres="gpu:2")
    other = choosing.Wish("box", "0,1", "slurm", job, "crash")
    assert choosing.configure(LENET, other) == ConfigureSession(
        session="3", seen=7, caffe="box", device="0,1", auto_resume="crash", launcher="slurm", slurm=job
    )
    running = replace(LENET, state=State.RUNNING)
    assert choosing.configure(running, other) == ConfigureSession(session="3", seen=7, auto_resume="crash")
    assert "once it is paused" in (choosing.frozen(running) or "")


def test_the_queue_is_asked_for_what_differs() -> None:
    still = choosing.wish_of(LENET)
    waits = replace(still, queued=True, priority=2, after="1", after_any=True)
    assert choosing.queueing(LENET, waits) == QueueSession("3", 2, "1", True)
    assert choosing.queueing(LENET, replace(waits, after="")) == QueueSession("3", 2)
    queued = replace(LENET, state=State.QUEUED, queued=Queued(1, 0.0, 2, "1", True))
    assert choosing.queueing(queued, waits) is None
    assert choosing.queueing(queued, still) == UnqueueSession("3")
    assert choosing.queue_frozen(LENET, "invalid") == "invalid" and choosing.queue_frozen(queued, "x") is None
    in_slurm = replace(LENET, state=State.QUEUED, queued=Queued(0, 0.0))
    assert "taken out" in (choosing.frozen(in_slurm) or "")
    assert "Slurm's queue" in (choosing.queue_frozen(in_slurm, None) or "")


def test_defaults_of_a_host_are_asked_for_what_differs() -> None:
    now = Defaults(device="0", slurm=SlurmOptions(partition="gpu"))
    wish = choosing.wish_of_defaults(now)
    assert choosing.set_defaults(now, wish) is None
    job = replace(wish, launcher="slurm", slurm=SlurmOptions("long"))
    assert choosing.set_defaults(now, job) == SetDefaults(launcher="slurm", slurm=SlurmOptions("long"))


def test_what_can_be_chosen() -> None:
    builds = [CaffeInfo("good", ["x"], "1.0", kind="BVLC"), CaffeInfo("bad", ["y"], problem="is not there")]
    words = choosing.caffe_choices(builds, "gone")
    assert words == [
        ("good  BVLC 1.0", "good"),
        ("bad  is not there", "bad"),
        ("gone  (not there any more)", "gone"),
    ]
    cards = [
        DeviceInfo(id="cpu", load=1.25),
        DeviceInfo(id="0", model="H100", memory_free=10**10, memory_total=8 * 10**10, utilisation=93.0),
        DeviceInfo(id="1", model="H100"),
    ]
    told = choosing.device_choices(cards, "0,1")
    assert told[1] == ("GPU 0  H100, 10.0 GB of 80.0 GB free, 93 % used", "0")
    assert [value for _, value in told] == ["cpu", "0", "1", "all", "0,1", choosing.OTHERS]
    assert [value for _, value in choosing.launcher_choices("gpu01", False, "process")] == ["process"]
    assert [value for _, value in choosing.launcher_choices("gpu01", False, "slurm")] == ["process", "slurm"]
    sessions = [replace(LENET, id="1", name="old"), replace(LENET, id="2", state=State.RUNNING), LENET]
    assert [value for _, value in choosing.after_choices(sessions, "3", "9")] == ["", "2", "1", "9"]


def test_options_of_a_job_come_back_as_they_were_typed() -> None:
    options = SlurmOptions("gpu", "gpu:1", "1-00", 4, "16G", "lab", ["--qos=long", "--comment=a b"])
    assert choosing.options_of(choosing.texts_of(options)) == options
    assert choosing.texts_of(SlurmOptions())["cpus"] == ""
    for field, text in (("cpus", "many"), ("arguments", "'x")):
        with pytest.raises(ValueError, match=text.strip("'") if field == "cpus" else "not whole"):
            choosing.options_of({**choosing.texts_of(options), field: text})


# ------------------------------------------------------------------------------------ on screen


async def test_settings_are_changed_kept_and_refused(root: Path, tmp_path: Path) -> None:
    entries = json.loads((root / "caffes.json").read_text())
    (root / "caffes.json").write_text(json.dumps([*entries, {**entries[0], "name": "second"}]))
    base = await made(root, "base", text=solver(speed=100))
    mine = await made(root, "mine", start=False)
    async with opened(root, (100, 34)) as (app, pilot):

        def now(id: str) -> SessionInfo:
            return app.store.known.sessions[Key("local", id)]

        await settings(app, pilot, mine.id)
        await until(pilot, lambda: "CPU  load" in shown(app))
        choose(app, device=choosing.OTHERS)
        app.screen.query_one("#devices", Input).value = "zero"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "'zero' is no device" in shown(app))
        choose(app, **{"device": "cpu", "caffe": "second", "auto-resume": "on", "queue": "yes"})
        choose(app, **{"after": base.id, "after-any": "any"})
        app.screen.query_one("#priority", Input).value = "much"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "'much' is no priority" in shown(app))
        app.screen.query_one("#priority", Input).value = "5"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is app.main and now(mine.id).queued)
        queued = now(mine.id).queued
        assert queued is not None and (queued.priority, queued.after, queued.after_any) == (5, base.id, True)
        assert (now(mine.id).caffe, now(mine.id).auto_resume) == ("second", "on")

        # What was chosen is shown, and taking it out is one choice.
        await settings(app, pilot, mine.id)
        await until(pilot, lambda: "second" in shown(app) and "is over in any way" in shown(app))
        await pilot.press("escape")
        # The marked ones get what is changed likewise; what cannot be changed of one is told.
        await pilot.press("asterisk")
        await settings(app, pilot, mine.id)
        await until(pilot, lambda: app.screen.query("#others") and "CPU  load" in shown(app))
        choose(app, **{"queue": "", "caffe": "scripted", "auto-resume": "crash", "others": "all"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is app.main and now(mine.id).queued is None)
        await until(pilot, lambda: "base is running: caffe, device" in shown(app))
        await until(pilot, lambda: now(base.id).auto_resume == now(mine.id).auto_resume == "crash")
        await pilot.press("asterisk")

        # Of one that runs, all but auto-resume is frozen, and it says why.
        await settings(app, pilot, base.id)
        await until(pilot, lambda: "can be changed once it is paused" in shown(app))
        assert app.screen.query_one("#caffe").disabled and app.screen.query_one("#queue").disabled
        choose(app, **{"auto-resume": "on"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is app.main and now(base.id).auto_resume == "on")

        # A new one is queued as it is made, behind the one that has the CPU.
        (tmp_path / "net.prototxt").write_text(NET)
        (tmp_path / "solver.prototxt").write_text(solver())
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NewSessionScreen))
        await until(pilot, lambda: app.screen.query_one("#origin", OptionList).option_count >= 2)
        await pilot.press("end")
        app.screen.query_one("#solver", Input).value = str(tmp_path / "solver.prototxt")
        app.screen.query_one("#name", Input).value = "made"
        await pilot.press("ctrl+l")
        await until(pilot, lambda: app.screen is app.main and state_of(app, "made") is State.QUEUED)


async def settings(app: BaristaApp, pilot: Pilot[None], id: str) -> None:
    app.main.want(id)
    await until(pilot, lambda: app.main.session is not None and app.main.session.id == id)
    await pilot.press("P")
    await until(pilot, lambda: isinstance(app.screen, SessionSettings))


def choose(app: BaristaApp, **values: str) -> None:
    for id, value in values.items():
        app.screen.query_one(f"#{id}", Select).value = value
