"""The agent is put on a host that has none, by a real sshd, offline: a login with a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from barista_server.api.link import LinkError
from barista_server.remote.hostshell import shell as login
from barista_server.remote.install import InstallError, install_on, look, on_host_answer
from tests.agent.agents import exists
from tests.cli.verbshell import Shell

from .sshd import Sshd

pytestmark = pytest.mark.real("sshd")
BASE = ".local/share/barista"


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell()
    yield made
    made.close()


@pytest.fixture
def bare(shell: Shell, tmp_path: Path) -> Iterator[Sshd]:
    """A host with this Python and nothing else of ours."""
    home, programs = shell.root / "home", shell.root / "bin"
    home.mkdir()
    programs.mkdir()
    (programs / f"python3.{sys.version_info.minor}").symlink_to(Path(sys.executable).resolve())
    sshd = Sshd.start(tmp_path / "sshd", shell.root / "far", path=f"{programs}:/usr/bin:/bin", home=home)
    (shell.root / "far").mkdir()
    (shell.root / "far" / "caffes.json").write_text((shell.root / "caffes.json").read_text())
    yield sshd
    sshd.down()


@pytest.fixture
def far(shell: Shell, bare: Sshd, tmp_path: Path) -> Sshd:
    """The same, on the client's list as ``far``."""
    client = tmp_path / "client"
    (client / ".ssh").mkdir(parents=True)
    (client / ".ssh" / "config").write_text(
        f"Host far\n HostName 127.0.0.1\n Port {bare.port}\n IdentityFile {bare.folder}/client\n"
    )
    shell.environment |= {"HOME": str(client), "XDG_CONFIG_HOME": str(client), "XDG_CACHE_HOME": str(client)}
    shell.environment.pop("SSH_AUTH_SOCK", None)
    shell.barista("host", "add", "far")
    shell.barista("host", "accept", "far", "--yes")
    return bare


def test_installed_used_upgraded_and_taken_away(shell: Shell, far: Sshd) -> None:
    base = shell.root / "home" / BASE
    assert "barista host install far" in shell.barista("ls", "--host", "far", code=5).stderr
    first = shell.json("host", "install", "far")
    assert (first["state"], first["before"], first["version"]) == ("alive", None, version("barista-server"))
    assert first["copied"] > 10_000_000
    assert (base / "server").readlink().parts[0] == "servers"

    shell.new("--name", "there", "--host", "far", "--start", speed=100)
    run = shell.root / "far" / "sessions" / "1" / "runs" / "0001"
    log = run / "caffe.log"
    shell.until(lambda: log.exists() and b"Iteration 5 " in log.read_bytes(), "it trains")
    process: dict[str, Any] = json.loads((run / "process.json").read_text())
    refused = shell.barista("host", "uninstall", "far", code=4).stderr
    assert str(process["runner_pid"]) in refused and "Pause them first" in refused

    # An upgrade: nothing is copied twice, the agent is another, the training the same.
    about = shell.root / "far" / "agent.json"
    agent = json.loads(about.read_text())["pid"]
    again = shell.json("host", "install", "far", "--root", str(shell.root / "far"))
    assert (again["copied"], again["before"], again["ended"]) == (0, version("barista-server"), [agent])
    assert json.loads(about.read_text())["pid"] != agent
    assert exists(process["caffe_pid"]) and exists(process["runner_pid"])
    assert shell.json("show", "there", "--host", "far")["state"] == "running"
    assert shell.json("host", "ls")[0]["address"] == f"ssh://far{shell.root / 'far'}"
    assert len(list((base / "servers").iterdir())) == 2

    shell.barista("pause", "there", "--host", "far")
    gone = shell.barista("host", "uninstall", "far").stdout
    assert "sessions and their agent's files are still there" in gone
    assert (
        not (base / "server").exists() and not (base / "servers").exists() and not (base / "wheels").exists()
    )
    assert log.exists()
    assert shell.json("host", "uninstall", "far")["was"] is False


def test_what_to_type_is_printed_with_the_wheels_made(shell: Shell, far: Sshd) -> None:
    text = shell.barista("host", "install", "far", "--print").stdout
    wheels = Path(shell.environment["XDG_CACHE_HOME"]) / "barista" / "wheels"
    assert f"scp {wheels}/*.whl far:.local/share/barista/wheels/" in text
    # The part for the host does what it says.
    script = text.split("<<'END'\n")[1].split("END\n")[0]
    base = shell.root / "home" / BASE
    (base / "servers").mkdir(parents=True)
    shutil.copytree(wheels, base / "wheels")
    environment = {"HOME": str(shell.root / "home"), "PATH": f"{shell.root / 'bin'}:/usr/bin:/bin"}
    done = subprocess.run(["sh"], input=script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert shell.barista("host", "ls").stdout.split()[5] == "alive"


async def test_a_failed_installation_leaves_the_one_before(shell: Shell, bare: Sshd) -> None:
    base = shell.root / "home" / BASE
    working = base / "servers" / "before" / "bin"
    working.mkdir(parents=True)
    (working / "barista-server").write_text("#!/bin/sh\necho barista-server 0.0.1\n")
    (working / "barista-server").chmod(0o755)
    (base / "server").symlink_to("servers/before")
    async with login(bare.address, bare.way()) as there:
        facts = await look(there)
        assert facts.own == "0.0.1" and facts.on_path is None and facts.free > 0
        order = {"name": "new", "need": ["no-such-package==1"], "index": False, "also": [], "keep": []}
        with pytest.raises(InstallError, match=r"pip install failed there: .*no-such-package"):
            await on_host_answer(there, "build", order, facts.python)
    assert (base / "server").readlink() == Path("servers/before")
    assert [path.name for path in (base / "servers").iterdir()] == ["before"]


async def test_a_host_without_a_fitting_python_or_with_something_in_the_way(shell: Shell, bare: Sshd) -> None:
    bare.authorize('restrict,command="true"')
    async with login(bare.address, bare.way()) as there:
        with pytest.raises(InstallError, match="tied to a command"):
            await look(there)
    bare.authorize()
    async with login(bare.address, bare.way()) as there:
        with pytest.raises(InstallError, match=r"no Python 3.11 or newer.*--python PATH"):
            await look(there, python="/bin/false")
        (shell.root / "home" / BASE / "server").mkdir(parents=True)
        with pytest.raises(InstallError, match="move it away first"):
            await install_on(there, lambda _: None)


async def test_files_and_commands_go_through_the_systems_ssh_as_well(
    bare: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = bare.way(via="ssh")
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    options = f"-i {bare.folder}/client -o UserKnownHostsFile={way.known_hosts.own}"
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F none {options} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    source, told = tmp_path / "source", []
    source.write_bytes(os.urandom(200_000))
    for each in (way, bare.way()):
        async with login(bare.address, each) as there:
            done = await there.run("cat; echo $HOME >&2; exit 3", "input")
            assert (done.code, done.out, done.err.strip()) == (3, "input", str(bare.root.parent / "home"))
            target = tmp_path / f"{each.via} target"
            await there.put(source, str(target), told.append)
            assert target.read_bytes() == source.read_bytes() and told[-1] == 200_000
            with pytest.raises(LinkError, match="cannot be written"):
                await there.put(source, str(tmp_path / "no" / "where"), told.append)
            lines: list[str] = []
            assert await there.lines("echo one; echo two >&2; exit 1", lines.append) == 1
            assert sorted(lines) == ["one", "two"], (each.via, lines)
