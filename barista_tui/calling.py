"""How a person calls this program again, to be copied from a message into a shell."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from barista_server.api.local import default_root
from barista_tui.target import Target


def command(target: Target, *words: str) -> str:
    """``barista --root .demo logs 1``: by name if the shell finds it, the default root left out."""
    if target.host is not None:
        where = ["--host", target.host.name]
    else:
        where = [] if target.root == default_root() else ["--root", _near(target.root)]
    return shlex.join([_program(), *where, *words])


def _program() -> str:
    ours = Path(sys.executable).with_name("barista")
    found = shutil.which("barista")
    if not ours.exists() or (found is not None and Path(found).absolute() == ours):
        return "barista"
    return _near(ours)


def _near(path: Path) -> str:
    """Relative to here if it lies below, since that is shorter."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
