"""Puts the agent on a host: wheels of what runs here are copied there, and installed below the login's home.

Nothing there is touched outside ~/.local/share/barista, and what was installed before stays in use until the
new one has said its version.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from barista_server.api.local import LinkError
from barista_server.remote import on_host
from barista_server.remote.collect import Facts, Progress, Tell, collected, engine_wheels, pins
from barista_server.remote.hostshell import TIED, Shell
from barista_server.remote.wheels import OURS, WheelError

ROOM = 4
"""An installation takes about so many times the size of its wheels."""
NO_PYTHON = 97


class InstallError(LinkError):
    """It was not installed; what is there before goes on. The text says what to do."""


class Installed(NamedTuple):
    """``stay``: agents that still run as they were; ``ended``: those that the next connection starts anew."""

    version: str
    before: str | None
    python: str
    copied: int
    ended: list[int]
    stay: list[int]
    engine: str
    """How the embedded engine came there; empty: not asked for."""


class Removed(NamedTuple):
    """``busy``: trainings that keep it from being taken away."""

    busy: list[int]
    was: bool
    stopped: list[int]


def on_host_command(what: str, order: object = None, python: str = "") -> str:
    """The command line that runs on_host.py, given on its input, with a Python that is new enough."""
    same = f"python3.{sys.version_info.minor}"
    candidates = (
        [python] if python else [same, "python3", *(f"python3.{minor}" for minor in range(19, 10, -1))]
    )
    test = "import sys; sys.exit(sys.version_info < (3, 11))"
    words = shlex.join(["-", what, json.dumps(order or {})])
    script = (
        f"for p in {shlex.join(candidates)}; do "
        f'if command -v "$p" >/dev/null 2>&1 && "$p" -c {shlex.quote(test)} </dev/null 2>/dev/null; '
        f'then exec "$p" {words}; fi; done; '
        f"echo no Python 3.11 or newer, only: $(python3 --version 2>&1) >&2; exit {NO_PYTHON}"
    )
    return shlex.join(["sh", "-c", script])


async def look(shell: Shell, python: str = "") -> Facts:
    """What the host has. Raises LinkError."""
    return msgspec.convert(await on_host_answer(shell, "facts", python=python), Facts, strict=False)


async def uninstall_from(shell: Shell) -> Removed:
    """Take it away again; sessions stay. Raises LinkError."""
    return Removed(**await on_host_answer(shell, "remove"))


async def install_on(shell: Shell, tell: Tell, *, engine: bool = False, python: str = "") -> Installed:
    """Install or upgrade. Raises LinkError: InstallError where a person has something to do first."""
    tell(Progress("look"))
    facts = await look(shell, python)
    if facts.in_the_way:
        raise InstallError(
            f"{facts.base}/server there is a folder that this has not made: move it away first"
        )
    if not facts.venv:
        raise InstallError(
            f"{facts.python} there lacks the module venv: install python3-venv, or name another"
        )
    with tempfile.TemporaryDirectory(prefix="barista-wheels-") as name:
        folder = Path(name)
        try:
            wheels, why = await asyncio.to_thread(collected, facts, folder, tell)
        except WheelError as error:
            raise InstallError(str(error)) from None
        copied = await _copy(shell, facts, wheels, tell)
        came = ""
        try:
            if engine:
                built, came, more = await _with_engine(shell, facts, wheels, folder, tell, bool(why))
                copied += more
            else:
                built = await _build(shell, facts, wheels, tell, index=bool(why))
        except InstallError as error:
            raise InstallError(f"{error}. {why}" if why else str(error)) from None
    said = str(built["version"]).split()[-1]
    return Installed(said, facts.own, facts.version, copied, built["ended"], built["stay"], came)


async def _with_engine(
    shell: Shell, facts: Facts, wheels: Sequence[Path], folder: Path, tell: Tell, index: bool
) -> tuple[dict[str, Any], str, int]:
    """With PyTorch from the host's own package index, which has builds for its cards; else with ours.

    The answer, how PyTorch came there, and how many bytes were copied.
    """
    wanted = [f"{OURS}[engine]=={version(OURS)}"]
    try:
        built = await _build(shell, facts, wheels, tell, index=index, also=wanted, also_index=True)
        return built, "PyTorch came from the host's package index", 0
    except InstallError as error:
        more = await asyncio.to_thread(engine_wheels, facts, folder, wheels, tell)
        if not more:
            raise
        first = str(error)
    copied = await _copy(shell, facts, more, tell)
    built = await _build(shell, facts, [*wheels, *more], tell, index=index, also=wanted)
    torch = next((path.name for path in more if path.name.startswith("torch-")), "PyTorch")
    return built, f"{torch} of this machine was copied, as the host found none itself ({first})", copied


async def _build(
    shell: Shell,
    facts: Facts,
    wheels: Sequence[Path],
    tell: Tell,
    *,
    index: bool,
    also: Sequence[str] = (),
    also_index: bool = False,
) -> dict[str, Any]:
    tell(Progress("install", facts.base))
    order = {
        "name": f"{version(OURS)}-{time.strftime('%Y%m%dT%H%M%S')}",
        "need": pins(wheels),
        "index": index,
        "also": also,
        "also_index": also_index,
        "keep": [path.name for path in wheels],
    }
    return await on_host_answer(shell, "build", order, facts.python)


async def _copy(shell: Shell, facts: Facts, wheels: Sequence[Path], tell: Tell) -> int:
    """Wheels that are not there yet; how many bytes. Raises LinkError."""
    missing = [
        path for path in wheels if facts.wheels.get(path.name) != await asyncio.to_thread(_digest, path)
    ]
    total = sum(path.stat().st_size for path in missing)
    if total * ROOM > facts.free:
        raise InstallError(
            f"{facts.base} there has {facts.free >> 20} MB left, and about {total * ROOM >> 20} are needed"
        )
    before = 0
    for path in missing:

        def moved(done: int, name: str = path.name, before: int = before) -> None:
            tell(Progress("copy", name, before + done, total))

        await shell.put(path, f"{facts.base}/wheels/{path.name}", moved)
        before += path.stat().st_size
    return total


async def on_host_answer(shell: Shell, what: str, order: object = None, python: str = "") -> dict[str, Any]:
    """One of on_host.py's answers. Raises InstallError with the host's words."""
    text = await asyncio.to_thread(Path(on_host.__file__).read_text)
    done = await shell.run(on_host_command(what, order, python), text)
    words = (done.err.strip().splitlines() or [f"it ended with code {done.code}"])[-1]
    if done.code == NO_PYTHON:
        raise InstallError(f"{words}. Install Python 3.11 or newer there, or name one: --python PATH")
    if done.code != 0:
        raise InstallError(words)
    try:
        answer: dict[str, Any] = json.loads((done.out.strip().splitlines() or [""])[-1])
    except ValueError:
        raise InstallError(TIED) from None
    return answer


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def by_hand(login: str, port: int, wheels: Path) -> str:
    """The commands that do the same by hand, for wheels that lie in a folder here; ``port`` 0: the usual."""
    pip = next((path.name for path in sorted(wheels.glob("pip-*.whl"))), None)
    made = f"python3.{sys.version_info.minor} -m venv" + (" --without-pip" if pip else "")
    runs = f"$new/bin/python wheels/{pip}/pip" if pip else "$new/bin/python -m pip"
    kind = f"{platform.system()} on {platform.machine()} with Python 3.{sys.version_info.minor}"
    ssh, scp = (f"ssh -p {port}", f"scp -P {port}") if port else ("ssh", "scp")
    return f"""\
# The wheels are for {kind}, as here; for another kind of host
# fetch them with pip download --only-binary=:all: --platform ... --python-version ...
{ssh} {login} mkdir -p .local/share/barista/wheels .local/share/barista/servers
{scp} {shlex.quote(str(wheels))}/*.whl {login}:.local/share/barista/wheels/
{ssh} {login} sh <<'END'
set -e
cd "$HOME/.local/share/barista"
new=servers/{version(OURS)}-$(date +%Y%m%dT%H%M%S)
{made} $new
{runs} install --no-index --find-links wheels --no-compile {OURS}=={version(OURS)}
$new/bin/barista-server --version
ln -sfn $new server
END
"""
