"""A terminal that goes away without a signal, as below nohup and in some containers."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path


def test_the_screen_ends_with_its_terminal(root: Path) -> None:
    ours, theirs = pty.openpty()
    barista = Path(sys.executable).with_name("barista")
    process = subprocess.Popen(
        [str(barista), "--root", str(root)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    try:
        seen = b""
        while b"Weights" not in seen:
            assert select.select([ours], [], [], 30)[0], seen
            seen += os.read(ours, 1 << 16)
        os.close(ours)
        process.wait(30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode >= 0, "it was ended by force"
