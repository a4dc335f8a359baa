"""Whether what is started in a login outlives it: systemd-logind's KillUserProcesses, and lingering."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from barista_server.doctor.report import Finding

FOLDERS = ("usr/lib/systemd", "lib/systemd", "run/systemd", "etc/systemd")
"""Where logind.conf(5) looks, those that win last."""
_PATIENCE = 5.0
Run = Callable[[Sequence[str]], str | None]
"""Output of a command; None: it is not there, or failed."""


def run(words: Sequence[str]) -> str | None:
    if shutil.which(words[0]) is None:
        return None
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def settings(root: Path = Path("/")) -> dict[str, str]:
    """The settings of logind.conf and its drop-ins, as systemd merges them: the file, then by name."""
    plain = [path for one in FOLDERS if (path := root / one / "logind.conf").is_file()]
    dropped: dict[str, Path] = {}
    for one in FOLDERS:
        dropped |= {path.name: path for path in (root / one / "logind.conf.d").glob("*.conf")}
    found: dict[str, str] = {}
    for path in [*plain[-1:], *(dropped[name] for name in sorted(dropped))]:
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.lstrip().startswith(("#", ";")):
                found[name.strip()] = value.strip()
    return found


def kills(found: dict[str, str], user: str) -> bool:
    """Whether logind ends what a user leaves running at the last log-out."""
    if found.get("KillUserProcesses", "no").lower() not in ("yes", "true", "on", "1"):
        return False
    spared = found.get("KillExcludeUsers", "root").split()
    only = found.get("KillOnlyUsers", "").split()
    return user not in spared and (not only or user in only)


def check_logout(root: Path = Path("/"), ask: Run = run, user: str = "") -> Finding:
    """Log-out must not end agent and trainings."""
    user = user or _user()
    if not (root / "run/systemd/system").is_dir():
        return Finding("log-out", "ok", "no systemd-logind here: log-out ends nothing")
    told = ask(["loginctl", "show-user", user, "--property=Linger", "--property=State"])
    lingers = (told is not None and "Linger=yes" in told) or (root / "var/lib/systemd/linger" / user).exists()
    kill = kills(settings(root), user)
    advice = f"loginctl enable-linger {user}    (with sudo where that is refused)"
    if kill and not lingers:
        text = "logging out ends your trainings (KillUserProcesses=yes, and no lingering)"
        return Finding("log-out", "bad", text, advice)
    if kill:
        return Finding(
            "log-out", "ok", f"{user} lingers: trainings outlive log-out, though KillUserProcesses=yes"
        )
    if os.environ.get("XDG_RUNTIME_DIR") and not lingers:
        text = "trainings outlive log-out; an agent started by systemd --user (barista-server unit) would not"
        return Finding("log-out", "ok", text, f"For that: {advice}")
    return Finding("log-out", "ok", "trainings outlive log-out")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
