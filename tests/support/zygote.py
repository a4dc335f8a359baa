"""Processes of `barista` that need not import it again: forked from one that has.

Each is a process of its own in all else (pid, environment, folder, streams, signals). It saves most of what
the hundreds of verbs that the tests run would cost.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from tests.support import forked_agents


class Zygote:
    """The process that is forked, from the side of who asks."""

    def __init__(self) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.zygote", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[2],
            )
        self._socket = mine

    def run(
        self, words: list[str], environment: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """`barista WORDS` with nothing to read. Raises subprocess.TimeoutExpired."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            # An environment may be larger than a packet.
            with tempfile.TemporaryFile("w+") as asked:
                json.dump({"words": words, "environment": environment, "folder": str(Path.cwd())}, asked)
                asked.flush()
                files = [asked.fileno(), out.fileno(), err.fileno()]
                socket.send_fds(self._socket, [b"run"], files)
            pid = int(self._socket.recv(64))
            self._socket.settimeout(timeout)
            try:
                code = int(self._socket.recv(64))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                self._socket.settimeout(None)
                self._socket.recv(64)
                raise subprocess.TimeoutExpired(words, timeout) from None
            return subprocess.CompletedProcess(words, code, _text(out), _text(err))

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


def _text(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode().replace("\r\n", "\n")
    return text


def _serve(channel: socket.socket) -> None:
    """Fork for each request; answer with its pid, then its exit code (negative: that signal)."""
    import barista_tui.cli
    import barista_tui.verbs

    for module in pkgutil.iter_modules(barista_tui.verbs.__path__):
        importlib.import_module(f"barista_tui.verbs.{module.name}")
    while True:
        word, files, _, _ = socket.recv_fds(channel, 64, 3)
        if not word:
            return
        pid = os.fork()
        if pid == 0:
            channel.close()
            os._exit(_verb(*files))
        for file in files:
            os.close(file)
        channel.send(str(pid).encode())
        channel.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _verb(asked: int, out: int, err: int) -> int:
    """What a new interpreter would do for `barista WORDS`; the exit code."""
    from barista_tui.cli import main

    with open(asked) as file:
        file.seek(0)
        request = json.load(file)
    for file_, number in ((out, 1), (err, 2)):
        os.dup2(file_, number)
        os.close(file_)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    forked_agents.use()
    sys.argv = ["barista", *request["words"]]
    try:
        code = main(request["words"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        _serve(channel)
