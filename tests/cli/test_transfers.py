"""`barista get`, `put`, `move` and `input copy`: what they do, say, and leave when they are stopped."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.data import dataset_files
from tests.remote.sshd import Sshd

from .test_hosts import far
from .verbshell import Shell

__all__ = ["far"]
pytestmark = pytest.mark.real("sshd")


@pytest.fixture
def known(shell: Shell, far: Sshd) -> Sshd:
    """The host is on the list, trusted, and has the scripted caffe."""
    shell.barista("host", "add", "gpu01")
    shell.barista("host", "accept", "gpu01", "--yes")
    (shell.root / "far").mkdir(exist_ok=True)
    (shell.root / "far" / "caffes.json").write_bytes((shell.root / "caffes.json").read_bytes())
    return far


def test_a_session_there_and_back(shell: Shell, known: Sshd, tmp_path: Path) -> None:
    shell.new("--name", "net one", "--start", max_iter=2000, speed=500)
    # From here, running, to the other host.
    shell.iterating("net one", 5)
    moved = shell.barista("move", "net one", "--to", "gpu01")
    assert "net one is paused, with a snapshot" in moved.stderr
    assert "It is on gpu01 now: " in moved.stdout and "restore" in moved.stdout
    assert shell.json("ls") == []
    done = shell.json("wait", "net one", "--host", "gpu01")
    assert (done["state"], done["iteration"], len(done["runs"])) == ("finished", 2000, 2)
    earlier = done["snapshots"][-2]["iteration"]
    # Snapshots of it, and all of it, into folders here.
    here = tmp_path / "here"
    got = shell.json("get", "net one", "--host", "gpu01", "-o", str(here))
    assert sorted(got["files"]) == ["snapshot_iter_2000.caffemodel", "snapshot_iter_2000.solverstate"]
    assert sorted(one.name for one in here.iterdir()) == sorted(got["files"])
    again = shell.barista("get", "net one", "--host", "gpu01", "-o", str(here), code=4)
    assert "is there already" in again.stderr and "-o DIR" in again.stderr
    wrong = shell.barista("get", "net one", "--host", "gpu01", "--snapshot", "7", code=3)
    assert "has no good snapshot of iteration 7" in wrong.stderr and str(earlier) in wrong.stderr
    shell.barista("get", "net one", "--host", "gpu01", "--snapshot", "best", code=2)
    out = shell.barista(
        "get", "net one", "--host", "gpu01", "--folder", "--snapshot", str(earlier), "-o", str(here)
    ).stdout
    folder = here / "net-one"
    assert f"checked: {folder}" in out
    assert sorted(one.name for one in folder.glob("*_iter_*")) == [
        f"snapshot_iter_{earlier}.caffemodel",
        f"snapshot_iter_{earlier}.solverstate",
    ]
    # And a session of that folder here.
    put = shell.json("put", str(folder), "--name", "back")
    assert (put["session"]["name"], put["session"]["iteration"]) == ("back", 2000)
    assert [one["iteration"] for one in put["session"]["snapshots"]] == [earlier]
    assert "no folder" in shell.barista("put", str(tmp_path / "none"), code=3).stderr
    # Without a start, by names of both ends.
    shell.new("--name", "waits")
    kept = shell.json("move", "waits", "--from", "local", "--to", "gpu01", "--no-start", "--keep", "--json")
    assert kept["session"]["state"] == "waiting" and kept["trash"] == ""
    assert {one["name"] for one in shell.json("ls")} == {"back", "waits"}
    assert "already" in shell.barista("move", "waits", "--to", "local", code=4).stderr
    home = shell.barista("move", "net one", "--from", "gpu01", "--to", "local", "--all-snapshots").stdout
    assert "It is on local now" in home and "--host gpu01 restore" in home
    shown = shell.json("show", "net one")
    assert (shown["state"], len(shown["snapshots"])) == ("finished", len(done["snapshots"]))


def test_data_goes_once(shell: Shell, known: Sshd, tmp_path: Path) -> None:
    data = dataset_files.lmdb(tmp_path / "digits")
    shell.barista("input", "add", str(data), "--name", "digits")
    copied = shell.barista("input", "copy", "digits", "--to", "gpu01").stdout
    assert "checked: " in copied and str(shell.root / "far" / "datasets" / "digits") in copied
    assert (
        "The same data is on gpu01 already"
        in shell.barista("input", "copy", "digits", "--to", "gpu01").stdout
    )
    back = shell.barista("--host", "gpu01", "input", "copy", "digits", "--to", "local").stdout
    assert "The same data is on local already" in back
    found = json.loads(shell.barista("--host", "gpu01", "input", "ls", "--json").stdout)
    assert [one["name"] for one in found] == ["digits"]


def test_stopped_in_the_middle_it_says_how_to_go_on(shell: Shell, known: Sshd, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    shell.new("--name", "small")
    for name in ("net.prototxt", "solver.prototxt"):
        (folder / name).write_bytes((shell.root / "sessions" / "1" / name).read_bytes())
    (folder / "ballast").write_bytes(b"1234" * (20 << 20))
    going = shell.begin("put", str(folder), "--host", "gpu01")
    parts = shell.root / "far" / "incoming"
    shell.until(
        lambda: [one for one in parts.glob("*/files/ballast.part") if one.stat().st_size > 4 << 20],
        "it is begun",
    )
    going.send_signal(signal.SIGINT)
    _, said = going.communicate(timeout=30)
    assert going.returncode == 130 and "the same command goes on from there" in said
    again = shell.barista("put", str(folder), "--host", "gpu01")
    assert "goes on: " in again.stderr and "large" in again.stdout
    made = shell.root / "far" / "sessions" / "1" / "ballast"
    assert made.read_bytes() == (folder / "ballast").read_bytes()
    assert not list(parts.glob("*/"))
