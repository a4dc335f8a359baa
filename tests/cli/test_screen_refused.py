"""The screen where there is none to be had."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path


def test_a_dumb_terminal_is_refused_with_the_way_on(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "barista_tui.cli", "--root", str(tmp_path)],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        timeout=60,
    )
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert "TERM=dumb" in done.stderr and "barista --help" in done.stderr
