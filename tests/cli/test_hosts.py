"""`barista host`, and every verb on another machine, through a real sshd."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from tests.remote.sshd import Sshd, free_port

from .test_deploy import lenet
from .verbshell import Shell


@pytest.fixture
def far(shell: Shell, tmp_path: Path) -> Iterator[Sshd]:
    """A host whose agent keeps its sessions in a folder of its own; the client's key is in ~/.ssh there."""
    sshd = Sshd.start(tmp_path / "sshd", shell.root / "far")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(
        f"Host gpu01\n HostName 127.0.0.1\n Port {sshd.port}\n IdentityFile {sshd.folder}/client\n"
    )
    shell.environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
    shell.environment.pop("SSH_AUTH_SOCK", None)
    yield sshd
    sshd.down()


def test_a_list_without_hosts(shell: Shell, tmp_path: Path) -> None:
    shell.environment["XDG_CONFIG_HOME"] = str(tmp_path)
    assert "barista host add" in shell.barista("host", "ls").stdout
    assert "there is no host 'x'; there are: none" in shell.barista("host", "rm", "x", code=3).stderr
    for name, address, words in (
        ("local", "gpu01", "no name for a host"),
        ("a/b", "gpu01", "no name for a host"),
        ("a", "two words", "names no host"),
        ("a", "local", "is there without being added"),
    ):
        assert words in shell.barista("host", "add", name, address, code=2).stderr
    (tmp_path / "barista").mkdir(exist_ok=True)
    (tmp_path / "barista" / "hosts.json").write_text("{")
    assert "correct it or move it away" in shell.barista("host", "ls", code=2).stderr
    assert (tmp_path / "barista" / "hosts.json").read_text() == "{"


@pytest.mark.real("sshd")
def test_from_adding_a_host_to_training_there(shell: Shell, far: Sshd, tmp_path: Path) -> None:
    added = shell.barista("host", "add", "gpu01").stdout
    assert "host key unknown" in added and "barista host accept gpu01" in added
    shown = asyncssh.read_public_key(str(far.folder / "host.pub")).get_fingerprint()
    refused = shell.barista("--host", "gpu01", "ls", code=5).stderr
    assert shown in refused and "barista host accept gpu01" in refused
    assert "nothing was accepted" in shell.barista("host", "accept", "gpu01", code=4).stderr
    wrong = shell.barista("host", "accept", "gpu01", "--fingerprint", "SHA256:other", code=4)
    assert "not SHA256:other" in wrong.stderr
    assert "is accepted" in shell.barista("host", "accept", "gpu01", "--fingerprint", shown).stdout
    assert "known already" in shell.barista("host", "accept", "gpu01").stdout
    listed = json.loads(shell.barista("host", "ls", "--json").stdout)
    assert [(one["name"], one["state"]) for one in listed] == [("gpu01", "alive")]
    caffes = (shell.root / "caffes.json").read_text()
    (shell.root / "far" / "caffes.json").write_text(caffes)
    report = shell.barista("doctor", "--host", "gpu01").stdout
    assert str(shell.root / "far") in report and "scripted: Caffe 1.0, CPU only" in report
    assert json.loads(shell.barista("doctor", "--host", "gpu01", "--json").stdout)["well"] is True
    made = shell.new("--name", "there", "--host", "gpu01", "--start", max_iter=30)
    assert Path(made["folder"]).is_relative_to(shell.root / "far")
    done = shell.json("wait", "there", "--host", "gpu01")
    assert (done["state"], done["iteration"]) == ("finished", 30)
    assert "Iteration 25" in shell.barista("logs", "there", "--host", "gpu01").stdout
    assert shell.json("ls") == []
    assert "exclude each other" in shell.barista("ls", "--host", "gpu01", "--root", "/", code=2).stderr

    # Beside a session of this machine, in one plot and one file.
    shell.new("--name", "there", "--start", max_iter=30)
    shell.barista("wait", "there")
    shell.barista("host", "add", "gone", "127.0.0.1:1")
    listed = shell.barista("ls", "--everywhere", code=5)
    rows = [line.split()[1:3] for line in listed.stdout.splitlines()]
    assert rows == [["NAME", "HOST"], ["there", "local"], ["there", "gpu01"]]
    assert "gone: 127.0.0.1:1 cannot be reached" in listed.stderr
    shell.barista("host", "rm", "gone")
    assert [one["host"] for one in shell.json("ls", "--everywhere")] == ["local", "gpu01"]
    both = shell.barista("plot", "there", "gpu01:there", "--keys", "train.loss").stdout.splitlines()
    assert both[0] == "there@local, there@gpu01"
    assert both[1].startswith("● local:1 there@local train loss: last 0.")
    assert both[2].startswith("▲ gpu01:1 there@gpu01 train loss: last 0.")
    told = shell.barista("diff", "there", "gpu01:there").stdout.splitlines()
    assert told[:2] == ["--- local:1 there", "+++ gpu01:1 there"] and len(told) == 3, "the same files"
    table = shell.barista("compare", "there", "gpu01:there", "--csv").stdout.splitlines()
    assert [line.split(",")[:3] for line in table[1:]] == [["local", "1", "there"], ["gpu01", "1", "there"]]
    shell.barista("put", str(lenet(tmp_path / "lenet")), "--host", "gpu01")
    place = tmp_path / "used"
    used = shell.json("deploy", "lenet", "--host", "gpu01", "--no-check", "-o", str(place))
    assert sorted(used["files"]) == sorted(one.name for one in place.iterdir()) and used["iteration"] == 40
    tables = shell.barista("export", "there", "gpu01:there", "--keys", "lr").stdout
    assert tables.count("# there@local TRAIN\n") == tables.count("# there@gpu01 TRAIN\n") == 1


@pytest.mark.real("sshd")
def test_what_is_wrong_with_hosts_is_told_apart(shell: Shell, far: Sshd) -> None:
    shell.barista("host", "add", "good", "gpu01")
    shell.barista("host", "accept", "good", "--yes")
    shell.barista("host", "add", "dead", "127.0.0.1:1")
    shell.barista("host", "add", "stranger", f"127.0.0.1:{far.port}")
    known = Path(shell.environment["XDG_CONFIG_HOME"], "barista", "known_hosts")

    def states() -> dict[str, str]:
        return {one["name"]: one["state"] for one in json.loads(shell.barista("host", "ls", "--json").stdout)}

    # The key belongs to address and port, not to the alias; and no key of ours is offered without the alias.
    assert states() == {"good": "alive", "dead": "dead", "stranger": "auth failed"}
    (far.folder / "client.pub").read_text()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()
    known.write_text(f"[127.0.0.1]:{far.port} {other[0]} {other[1]}\n")
    assert states()["good"] == "host key CHANGED"
    assert "CHANGED" in shell.barista("host", "accept", "good", "--yes", code=5).stderr


def test_order_and_names(shell: Shell, tmp_path: Path) -> None:
    shell.environment["XDG_CONFIG_HOME"] = str(tmp_path)
    for name in ("a", "b", "c"):
        shell.barista("host", "add", name, "127.0.0.1:1")
    shell.barista("host", "move", "c", "-2")
    shell.barista("host", "rename", "a", "z")
    assert "there is a host 'b' already" in shell.barista("host", "rename", "c", "b", code=2).stderr
    gone = shell.barista("host", "rm", "b").stdout
    assert "barista host add b 127.0.0.1:1" in gone
    listed = json.loads(shell.barista("host", "ls", "--json").stdout)
    assert [one["name"] for one in listed] == ["c", "z"]
    assert "not connected to any more" in shell.barista("host", "unlink", "z").stdout
    stored = json.loads(Path(tmp_path, "barista", "hosts.json").read_text())
    assert [one.get("offline", False) for one in stored] == [False, True]
    assert shell.json("host", "link", "z")[1]["name"] == "z"
    assert "true" not in Path(tmp_path, "barista", "hosts.json").read_text()


def test_a_server_of_ones_own_is_brought_up_and_listed(shell: Shell, tmp_path: Path) -> None:
    shell.environment |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    port = str(free_port())
    assert "there is no folder" in shell.barista("--server", "--dir", str(tmp_path / "no"), code=2).stderr
    for words in (("--server", "ls"), ("--server", "--host", "x"), ("--dir", str(tmp_path), "ls")):
        assert "--server" in shell.barista(*words, code=2).stderr
    shell.json("ls")  # an agent without a port is there
    before = shell.agent_pid()
    words = shell.barista("--server", "--dir", str(shell.root), "--port", port).stdout
    assert "it is the host 'server'" in words
    served = shell.agent_pid()
    assert served != before
    made = shell.new("--name", "by-port", "--host", "server", "--start", max_iter=20)
    assert made["name"] == "by-port"
    assert shell.json("wait", "by-port", "--host", "server")["state"] == "finished"
    # Once more: nothing is started or written twice.
    shell.barista("--server", "--dir", str(shell.root), "--port", port)
    assert shell.agent_pid() == served
    listed = json.loads(shell.barista("host", "ls", "--json").stdout)
    assert [(one["name"], one["state"]) for one in listed] == [("server", "alive")]
    assert len((shell.root / "authorized_keys").read_text().splitlines()) == 1
    assert (tmp_path / "config" / "barista" / "id_ed25519").stat().st_mode & 0o077 == 0
