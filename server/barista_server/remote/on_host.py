"""What is done on a host where nothing is installed yet: ``python3 - WHAT [JSON]``, this file on its input.

Standard library only. Answers with one line of JSON on standard output, or with words on standard error and
a code other than 0. Everything is below BASE: ``wheels/``, ``servers/NAME/`` (one virtual environment an
installation, which never moves), and ``server``, the link to the one in use.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BASE = Path.home() / ".local" / "share" / "barista"
SERVERS = BASE / "servers"
LINK = BASE / "server"
WHEELS = BASE / "wheels"
LOCK_WAIT = 20.0


def facts(_: dict[str, Any]) -> dict[str, Any]:
    """What this host has; makes the folder for wheels."""
    try:
        WHEELS.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"{WHEELS} cannot be made: {error.strerror}") from None
    for torn in WHEELS.glob("*.part"):
        torn.unlink()
    disk = shutil.disk_usage(WHEELS)
    return {
        "python": sys.executable,
        "version": platform.python_version(),
        "cache_tag": sys.implementation.cache_tag,
        "machine": platform.machine(),
        "system": platform.system(),
        "libc": list(platform.libc_ver()),
        "venv": importlib.util.find_spec("venv") is not None,
        "free": disk.free,
        "base": str(BASE),
        "wheels": {path.name: _digest(path) for path in WHEELS.glob("*.whl")},
        "own": _version(LINK / "bin" / "barista-server"),
        "on_path": _version(shutil.which("barista-server")),
        "in_the_way": LINK.exists() and not LINK.is_symlink(),
    }


def build(order: dict[str, Any]) -> dict[str, Any]:
    """A new environment ``name`` with ``need`` from the wheels (``index``: or by pip's index), then the link.

    ``also``, ``also_index``: the same for what is wanted besides. Whatever fails, what was there stays.
    """
    new = SERVERS / order["name"]
    SERVERS.mkdir(exist_ok=True)
    pip = sorted(WHEELS.glob("pip-*.whl"))
    try:
        _ran([sys.executable, "-m", "venv", *(["--without-pip"] if pip else []), str(new)], "python -m venv")
        python = str(new / "bin" / "python")
        words = [python, f"{pip[-1]}/pip"] if pip else [python, "-m", "pip"]
        words += ["install", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-input"]
        words += ["--retries", "1", "--find-links", str(WHEELS)]
        _ran([*words, *([] if order["index"] else ["--no-index"]), *order["need"]], "pip install")
        if order["also"]:
            # By itself: pip asks a slow or missing index for nothing that is installed already.
            _ran([*words, *([] if order["also_index"] else ["--no-index"]), *order["also"]], "pip install")
        version = _ran([str(new / "bin" / "barista-server"), "--version"], "barista-server --version").strip()
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    fresh = LINK.with_name(f"server.{os.getpid()}")
    fresh.symlink_to(new.relative_to(BASE))
    fresh.replace(LINK)
    agents = [one for one in _ours() if "serve" in one["words"] and not one["trains"]]
    ended = _restart(agents)
    stay = [one["pid"] for one in agents if one["pid"] not in ended]
    return {"version": version, "ended": ended, "stay": stay, "removed": _tidy(new, order["keep"])}


def remove(_: dict[str, Any]) -> dict[str, Any]:
    """Take everything away but sessions and their agent's files; refuses while a training runs from here."""
    users = _ours()
    if busy := [one["pid"] for one in users if one["trains"]]:
        return {"busy": busy, "was": True, "stopped": []}
    was = LINK.is_symlink() or SERVERS.exists()
    for one in users:
        os.kill(one["pid"], signal.SIGTERM)
    end = time.monotonic() + LOCK_WAIT
    while _ours() and time.monotonic() < end:
        time.sleep(0.05)
    LINK.unlink(missing_ok=True)
    for folder in (SERVERS, WHEELS):
        shutil.rmtree(folder, ignore_errors=True)
    return {"busy": [], "was": was, "stopped": [one["pid"] for one in users]}


def _restart(agents: list[dict[str, Any]]) -> list[int]:
    """End the agents that clients started: the next client starts a new one, trainings go on meanwhile."""
    ended = []
    for one in agents:
        if "--linger" in one["words"]:
            os.kill(one["pid"], signal.SIGTERM)
            ended.append(one["pid"])
    return ended


def _tidy(new: Path, keep: list[str]) -> list[str]:
    """Remove environments that no process runs from any more, and wheels that nothing needs."""
    used = {one["home"] for one in _ours()}
    old = [path for path in SERVERS.iterdir() if path != new and path.name not in used]
    # The one before stays: it is what a person goes back to.
    gone = sorted(old, key=lambda path: path.stat().st_mtime)[:-1]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    for wheel in WHEELS.glob("*.whl"):
        if wheel.name not in keep:
            wheel.unlink()
    return [path.name for path in gone]


def _ours() -> list[dict[str, Any]]:
    """Processes that run from an environment here, by their command line or what they have loaded."""
    found = []
    mark = os.fsencode(SERVERS) + b"/"
    for pid, words, loaded in _processes():
        if mark not in words and mark not in loaded:
            continue
        text = words if mark in words else loaded
        home = text[text.index(mark) + len(mark) :].split(b"/")[0]
        parts = words.decode(errors="replace").strip("\0").split("\0")
        trains = any(part.endswith(("/runner.py", "/barista-caffe")) for part in parts)
        found.append({"pid": pid, "words": parts, "home": os.fsdecode(home), "trains": trains})
    return found


def _processes() -> Iterator[tuple[int, bytes, bytes]]:
    for path in Path("/proc").glob("[0-9]*"):
        if int(path.name) == os.getpid():
            continue
        try:
            yield int(path.name), (path / "cmdline").read_bytes(), (path / "maps").read_bytes()
        except OSError:
            continue


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(program: str | Path | None) -> str | None:
    """Of an installed barista-server; None: none that runs."""
    if program is None:
        return None
    try:
        done = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split()[-1] if done.stdout.split() else None


def _ran(command: list[str], name: str) -> str:
    """Its output. SystemExit with its last words."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in words if line.startswith("ERROR: ")] or words
        raise SystemExit(f"{name} failed there: " + (" / ".join(errors[-2:]) or f"code {done.returncode}"))
    return done.stdout


if __name__ == "__main__":
    order = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    print(json.dumps({"facts": facts, "build": build, "remove": remove}[sys.argv[1]](order)))
