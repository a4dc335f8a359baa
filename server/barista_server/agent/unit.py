"""A systemd unit of the user, so that the agent is there after a boot: what is interrupted then goes on."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path

TEXT = """\
# Written by barista-server unit.
[Unit]
Description=Barista agent of {about}

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=5
# Trainings outlive the agent: stopping it must not end them.
KillMode=process

[Install]
WantedBy=default.target
"""


def unit(root: Path) -> str:
    """The unit's text for the agent that serves ``root``."""
    words = [sys.executable, "-P", "-m", "barista_server.agent", "serve", "--foreground", "--root", str(root)]
    return TEXT.format(about=str(root).replace("%", "%%"), command=" ".join(map(quoted, words)))


def quoted(word: str) -> str:
    """A word of a unit's command line, as systemd.service(5) and systemd.syntax(7) read it."""
    for sign, instead in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$"), ("\n", "\\n")):
        word = word.replace(sign, instead)
    return f'"{word}"'


def unit_name(root: Path) -> str:
    """One for each root, as systemd-escape makes it of the path."""
    escaped = "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in "_.") else escape(sign)
        for sign in str(root).strip("/")
    )
    return f"barista-{escaped}.service"


def escape(sign: str) -> str:
    """A slash becomes a dash, everything else its bytes."""
    return "-" if sign == "/" else "".join(f"\\x{byte:02x}" for byte in os.fsencode(sign))


def show_unit(root: Path) -> int:
    """Print the unit, and to stderr what to do with it."""
    sys.stdout.write(unit(root))
    sys.stdout.flush()
    where = _folder() / unit_name(root)
    print(f"barista-server unit --install --root {root} writes that to {where}", file=sys.stderr)
    return 0


def install(root: Path) -> int:
    """Write the unit and have systemd start it at boot. Raises OSError."""
    path = _folder() / unit_name(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(unit(root))
    print(f"written: {path}")
    commands = [
        ["systemctl", "--user", "daemon-reload"],
        ["systemctl", "--user", "enable", path.name],
        # Without this, units of the user begin at log-in and end at log-out.
        ["loginctl", "enable-linger", getpass.getuser()],
    ]
    failed = [command for command in commands if not _done(command)]
    if failed:
        print("That is not all: these commands did not succeed, run them yourself:", file=sys.stderr)
        for command in failed:
            print("  " + " ".join(f"'{word}'" if "\\" in word else word for word in command), file=sys.stderr)
        return 1
    print("The agent starts with the machine from now on.")
    return 0


def _folder() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "systemd" / "user"


def _done(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
    return done.returncode == 0
