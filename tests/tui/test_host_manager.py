"""The host manager: a real agent here, a real sshd there, hosts that are dead or whose key has changed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from msgspec.structs import replace
from textual.widgets import Input, OptionList, Select

from barista_server.api.messages import (
    CaffeInfo,
    DeviceInfo,
    Holder,
    SessionInfo,
    State,
)
from barista_server.remote.hostkeys import Offered
from barista_tui import hostlook, projects
from barista_tui.app import BaristaApp
from barista_tui.choosing import OTHERS
from barista_tui.hostlook import HostLine
from barista_tui.hosts import Cause, HostEntry, Hosts, HostsError, folder
from barista_tui.screens.add_host import AddHostScreen, name_for
from barista_tui.screens.choose import ChooseScreen
from barista_tui.screens.host_settings import HostSettings
from barista_tui.screens.hosts import HostList, HostManager
from barista_tui.screens.prompt import PromptScreen
from barista_tui.sshconfig import Alias, aliases
from barista_tui.store import HostKnown, Key, LinkState
from barista_tui.target import Target

from ..remote.sshd import USER, Sshd, free_port
from .support import made, opened, shown, until
from .test_hosts import stopped

PYTHON = Path(sys.executable).resolve()
"""All that a bare host has."""

# ------------------------------------------------------------------------------------ words, pure


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (LinkState("connecting"), "◌ connecting"),
        (LinkState("alive"), "● alive"),
        (LinkState("silent"), "◌ does not answer"),
        (LinkState("offline"), "○ offline"),
        (LinkState("lost", cause="auth-failed"), "✖ auth failed"),
        (LinkState("lost", cause="key-unknown"), "✖ host key unknown"),
        (LinkState("lost", cause="key-changed"), "✖ host key CHANGED"),
        (LinkState("lost", cause="no-agent"), "✖ no agent"),
        (LinkState("lost", cause="dead"), "✖ dead"),
    ],
)
@pytest.mark.parametrize("width", [79, 120])
def test_every_state_has_a_glyph_and_a_whole_word(link: LinkState, words: str, width: int) -> None:
    row = hostlook.row(HostLine(HostKnown("gpu01", link), "me@gpu01:22", "0.1.0"), 100.0, width).plain
    assert words in row and "gpu01" in row and "me@gpu01:22" in row and "0.1.0" in row
    assert len(row) <= width == len(hostlook.heading(width).ljust(width))


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        ("key-unknown", "y accepts this key"),
        ("key-changed", "nothing is sent and nothing is tried again"),
        ("no-agent", "I installs the agent"),
        ("auth-failed", "ssh-copy-id"),
        ("dead", "tried again in 8 s"),
    ],
)
def test_every_trouble_says_what_to_do(cause: Cause, advice: str) -> None:
    host = HostKnown("gpu01", LinkState("lost", 90.0, "why", 108.0, cause))
    told = hostlook.facts(HostLine(host, "gpu01"), 100.0, "ssh-ed25519 SHA256:abc").plain
    assert advice in told and "for 10 s" in told and "why" in told and "SHA256:abc" in told


def test_devices_say_who_holds_them() -> None:
    session = SessionInfo(id="7", name="lenet", state=State.RUNNING, folder="", created=0.0, caffe="caffe")
    found = [
        DeviceInfo(id="cpu", model="EPYC", cores=16, load=1.25, disk_free=10**9, disk_total=4 * 10**9),
        DeviceInfo(
            id="0",
            model="H100",
            utilisation=93.0,
            memory_free=10**10,
            memory_total=8 * 10**10,
            temperature=61,
            sessions=["7"],
            holders=[Holder(pid=1, session="7"), Holder(pid=4711, user="ann", name="python")],
        ),
    ]
    told = hostlook.devices(found, {"7": session}).plain
    assert "93 % used, 61 °C, 10.0 GB of 80.0 GB free" in told and "16 cores, load 1.2" in told
    assert "▶ 7 lenet" in told and "pid 4711 python, ann" in told and "pid 1" not in told
    assert "1.0 GB of 4.0 GB free" in told


def test_defaults_that_are_gone_can_still_be_seen() -> None:
    found = [CaffeInfo("good", ["x"], "1.0"), CaffeInfo("bad", ["y"], problem="not there")]
    assert [value for _, value in hostlook.caffe_choices(found, "bad")] == ["", "good", "bad"]
    cards = [DeviceInfo(id="cpu"), DeviceInfo(id="0"), DeviceInfo(id="1")]
    assert [value for _, value in hostlook.device_choices(cards, "0,1")] == ["cpu", "0", "1", "all", "0,1"]


def test_aliases_of_the_ssh_configuration(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.conf").write_text("Host lab\n  HostName=192.0.2.7\n  User me\n  Port 2222\n")
    (tmp_path / "config").write_text(
        'Include more/*.conf\n# Host none\nHost gpu01 gpu02 *.wild !no "two words"\n HostName %h.example\n'
        "Match all\n User x\nHost *\n ForwardAgent no\nInclude config\n"
    )
    found = aliases(tmp_path / "config")
    assert [each.name for each in found] == ["lab", "gpu01", "gpu02", "two words"]
    assert found[0] == Alias("lab", "me@192.0.2.7:2222")
    assert aliases(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("address", "name"),
    [("gpu01", "gpu01"), ("me@gpu01:22", "gpu01"), ("port://[::1]:4200", "1"), ("a b", "")],
)
def test_a_host_is_called_after_its_address(address: str, name: str) -> None:
    assert name_for(address) == name


# ------------------------------------------------------------------------------------ the screen


@pytest.fixture
def far(root: Path, tmp_path: Path) -> Iterator[Sshd]:
    """Another machine's sshd, which lets us in; nobody has accepted its key."""
    (tmp_path / "far").mkdir()
    shutil.copy(root / "caffes.json", tmp_path / "far")
    sshd = Sshd.start(tmp_path / "sshd", tmp_path / "far")
    folder().mkdir(parents=True, exist_ok=True)
    shutil.copy(sshd.folder / "client", folder() / "id_ed25519")
    yield sshd
    sshd.down()


def manager(app: BaristaApp) -> HostManager:
    assert isinstance(app.screen, HostManager)
    return app.screen


@pytest.mark.real("sshd")
async def test_added_accepted_renamed_deleted_and_brought_back(root: Path, far: Sshd, tmp_path: Path) -> None:
    await made(tmp_path / "far", "there")
    app = BaristaApp(Target(root), "tests", others=[])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.store.known.host("local").alive)
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, HostManager) and "● alive" in shown(app))
        # Wrong input is told where it is mended.
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AddHostScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "an address is needed" in shown(app))
        app.screen.query_one("#address", Input).value = f"{USER}@127.0.0.1:{far.port}"
        app.screen.query_one("#name", Input).value = "local"
        await pilot.press("enter")
        await until(pilot, lambda: "'local' is no name for a host" in shown(app))
        app.screen.query_one("#name", Input).value = "far"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HostManager))
        assert [each.name for each in Hosts().all()] == ["far"]
        await until(pilot, lambda: "host key unknown" in shown(app) and "SHA256:" in shown(app))
        assert "y accepts this key" in shown(app)
        await pilot.press("y")
        await until(pilot, lambda: app.store.known.host("far").alive)
        await until(pilot, lambda: manager(app).name_chosen == "far" and "default caffe" in shown(app))
        await until(pilot, lambda: "1 of" not in shown(app) and "2 of 2 alive" in shown(app))
        # Renamed: on the list and on the screen, its sessions are still there.
        await pilot.press("e")
        await pilot.pause()
        app.screen.query_one("#answer", Input).value = "lab"
        await pilot.press("enter")
        await until(pilot, lambda: app.fleet.names == ["local", "lab"])
        assert [each.name for each in Hosts().all()] == ["lab"]
        assert app.store.known.host("lab").sessions["1"].name == "there"
        await until(pilot, lambda: app.store.known.host("lab").alive)
        # Deleted: nothing happens there; undone, it is where it was.
        await pilot.press("d")
        await until(pilot, lambda: app.fleet.names == ["local"] and not Hosts().all())
        assert "there stay" in shown(app)
        await pilot.press("u")
        await until(pilot, lambda: app.fleet.names == ["local", "lab"])
        assert [each.name for each in Hosts().all()] == ["lab"]
        await until(pilot, lambda: app.store.known.host("lab").alive)
        # A move that the screen has not heard of yet when it shows what is known anew: it comes to rest.
        listed = manager(app).query_one("#hosts", HostList)
        manager(app).choose("local")
        listed.action_cursor_down()
        manager(app).show_known()
        await until(pilot, lambda: manager(app).name_chosen == "lab")
        await pilot.pause(0.1)
        assert (manager(app).name_chosen, listed.highlighted) == ("lab", 1)
        # What is hidden can be shown again from here.
        sessions = app.main.sessions
        sessions.wish_for(replace(sessions.wish, hidden=frozenset({Key("lab", "1")})))
        await pilot.press("s")
        await until(pilot, lambda: "Show which session of lab?" in shown(app) and "1  there" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: not sessions.wish.hidden)
        await pilot.press("escape")
        assert app.screen is app.main
    await stopped(tmp_path / "far")


async def test_defaults_of_new_sessions(root: Path) -> None:
    await made(root, "here", start=False)
    async with opened(root, (160, 45)) as (app, pilot):
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, HostManager))
        await until(
            pilot, lambda: "◌ scripted" in shown(app) and "CPU" in shown(app) and "disk" in shown(app)
        )
        manager_screen = manager(app)
        caffe = manager_screen.query_one("#caffe", Select)
        await until(pilot, lambda: caffe.value == "")
        assert not (root / "defaults.json").exists(), "looking changes nothing"
        caffe.focus()
        await pilot.press("enter")
        await until(pilot, lambda: caffe.expanded)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "New sessions on local get scripted on cpu" in shown(app))
        assert json.loads((root / "defaults.json").read_text())["caffe"] == "scripted"

        # How many at a time, on the one device or the one that is chosen.
        for text, told in (("x", "'x' is no number"), ("3", "3 at a time"), ("0", "the queue starts none")):
            await pilot.press("t")
            await until(pilot, lambda: app.screen is not manager_screen)
            if isinstance(app.screen, ChooseScreen):
                await pilot.press("enter")
                await until(pilot, lambda: isinstance(app.screen, PromptScreen))
            app.screen.query_one(Input).value = text
            await pilot.press("enter")
            await until(pilot, lambda wanted=told: wanted in shown(app))
        assert json.loads((root / "queue.json").read_text())["slots"] == {"cpu": 0}

        # All of it in one dialog; what is wrong stays to be corrected.
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, HostSettings))
        dialog = app.screen
        await until(pilot, lambda: "CPU  load" in shown(app))
        dialog.query_one("#caffe", Select).value = ""
        dialog.query_one("#device", Select).value = OTHERS
        dialog.query_one("#devices", Input).value = "x"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "'x' is no device" in shown(app))
        dialog.query_one("#devices", Input).value = "0,1"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is manager_screen and caffe.value == "")
        kept = json.loads((root / "defaults.json").read_text())
        assert (kept.get("caffe", ""), kept["device"]) == ("", "0,1")


async def test_this_machine_stays_and_dead_hosts_hold_up_nothing(root: Path) -> None:
    for name in ("one", "two"):
        Hosts().add(HostEntry(name, f"127.0.0.1:{free_port()}"))
    app = BaristaApp(Target(root), "tests", others=[Target(root, each) for each in Hosts().all()])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, HostManager))
        await until(pilot, lambda: shown(app).count("✖ dead") >= 2 and "CPU" in shown(app))
        for key in ("d", "e", "I"):
            await pilot.press(key)
        await until(pilot, lambda: "this machine is always there" in shown(app))
        await until(pilot, lambda: "this machine has the agent already" in shown(app))
        assert app.fleet.names == ["local", "one", "two"]
        await pilot.press("j", "j")
        await until(pilot, lambda: manager(app).name_chosen == "two")
        await until(pilot, lambda: "r connects now" in shown(app))
        await pilot.press("K")
        assert app.fleet.names == ["local", "two", "one"]
        assert [each.name for each in Hosts().all()] == ["two", "one"]
        assert app.screen.query_one("#hosts", OptionList).highlighted == 1
        await pilot.press("U")
        await until(pilot, lambda: "○ offline" in shown(app) and "U links it again" in shown(app))
        assert [each.offline for each in Hosts().all()] == [True, False]
        await pilot.press("d", "d")
        await until(pilot, lambda: len(app.fleet.names) == 2)
        await pilot.press("u")
        await until(pilot, lambda: app.fleet.names == ["local", "two", "one"])
        assert [each.name for each in Hosts().all()] == ["two", "one"]


def accept(sshd: Sshd) -> None:
    from barista_server.remote.ssh import own_way

    kind, text = (sshd.folder / "host.pub").read_text().split()[:2]
    own_way(folder()).known_hosts.accept(Offered("", "", "", f"[127.0.0.1]:{sshd.port} {kind} {text}"))


@pytest.mark.real("sshd")
async def test_the_agent_is_installed_from_here(root: Path, tmp_path: Path) -> None:
    home, programs, there = tmp_path / "home", tmp_path / "bin", tmp_path / "far"
    for each in (home, programs, there):
        each.mkdir()
    (programs / f"python3.{sys.version_info.minor}").symlink_to(PYTHON)
    sshd = Sshd.start(tmp_path / "sshd", there, path=f"{programs}:/usr/bin:/bin", home=home)
    folder().mkdir(parents=True, exist_ok=True)
    shutil.copy(sshd.folder / "client", folder() / "id_ed25519")
    accept(sshd)
    bare = HostEntry("bare", f"{USER}@127.0.0.1:{sshd.port}")
    Hosts().add(bare)
    app = BaristaApp(Target(root), "tests", others=[Target(root, bare)])
    try:
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await until(pilot, lambda: app.store.known.host("local").alive)
            await until(pilot, lambda: app.store.known.host("bare").link.cause == "no-agent")
            await pilot.press("f3", "down")
            await until(pilot, lambda: "✖ no agent" in shown(app) and "I installs the agent" in shown(app))
            await pilot.press("enter")
            await until(pilot, lambda: "Install the agent on bare" in shown(app))
            await pilot.press("enter")
            await until(pilot, lambda: "installing the agent on bare" in shown(app))
            # Cancelled, nothing is left in use there, and it can be begun again.
            await pilot.press("X", "x")
            await until(pilot, lambda: "Not installed on bare" in shown(app))
            assert not (home / ".local/share/barista/server").exists()
            app.host_deeds.install("bare")
            # Said before the agent there is connected, which takes longer than it stands there.
            await until(pilot, lambda: "is on bare (Python" in shown(app), 90)
            await until(pilot, lambda: app.store.known.host("bare").alive, 60)
            assert (home / ".local/share/barista/server").readlink().parts[0] == "servers"
            assert not app.works.any
    finally:
        if (there / "agent.sock").exists():
            await stopped(there)
        sshd.down()


@pytest.mark.real("sshd")
async def test_a_changed_key_is_a_hard_stop_in_words(root: Path, far: Sshd) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
    (folder() / "known_hosts").write_text(f"[127.0.0.1]:{far.port} {other}")
    there = HostEntry("far", f"{USER}@127.0.0.1:{far.port}")
    app = BaristaApp(Target(root), "tests", others=[Target(root, there)])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.store.known.host("local").alive)
        await until(pilot, lambda: app.store.known.host("far").link.cause == "key-changed")
        await pilot.press("ctrl+h", "down")
        await until(pilot, lambda: "✖ host key CHANGED" in shown(app) and "Nothing was sent" in shown(app))
        await pilot.press("y")
        await until(pilot, lambda: "no key waits to be accepted" in shown(app))
        assert app.store.known.host("far").link.cause == "key-changed"


async def test_a_project_has_hosts_of_its_own(root: Path, tmp_path: Path) -> None:
    mine = HostEntry("mine", f"127.0.0.1:{free_port()}")
    Hosts().add(HostEntry("other", f"127.0.0.1:{free_port()}"))
    path = tmp_path / "some.barista"
    projects.save(path, projects.Project(root=str(root), hosts=[mine]))
    app = BaristaApp(Target(root), "some", others=[Target(root, mine)], project=path)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: app.store.known.host("local").alive)
        await pilot.press("f3", "a")
        await until(pilot, lambda: "on the list of hosts" in shown(app))
        await pilot.press("down", "enter", "enter")
        await until(pilot, lambda: app.fleet.names == ["local", "mine", "other"])
        assert [each.name for each in Hosts().all()] == ["other"], "it was there already"
        assert [each.name for each in projects.load(path).hosts] == ["mine", "other"]
        app.host_deeds.rename("mine", "yours")
        assert [each.name for each in projects.load(path).hosts] == ["yours", "other"]
        app.host_deeds.remove("yours")
        assert [each.name for each in projects.load(path).hosts] == ["other"]
        app.host_deeds.undo()
        assert [each.name for each in projects.load(path).hosts] == ["yours", "other"]
        with pytest.raises(HostsError, match="already"):
            app.host_deeds.rename("yours", "other")
