"""Processes of `barista` and of the engine that need not import it again: forked from one that has.

Each is a process of its own in all else (pid, environment, folder, streams, signals). It saves most of what
the hundreds of verbs that the tests run would cost, and nearly all of what a short run of the engine does.
"""

from __future__ import annotations

import atexit
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
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

from tests.support import forked_agents

Program = Literal["barista", "engine"]


class Zygote:
    """The process that is forked, from the side of who asks."""

    def __init__(self, program: Program) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.zygote", str(theirs.fileno()), program],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[2],
            )
        self._socket = mine

    def run(
        self, words: list[str], environment: dict[str, str], timeout: float, folder: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """The program with ``words`` and nothing to read. Raises subprocess.TimeoutExpired."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            # An environment may be larger than a packet.
            with tempfile.TemporaryFile("w+") as asked:
                json.dump(
                    {"words": words, "environment": environment, "folder": str(folder or Path.cwd())}, asked
                )
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
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, code, out.read(), err.read())

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


@cache
def zygote(program: Program) -> Zygote:
    """The one that all tests here share."""
    made = Zygote(program)
    atexit.register(made.close)
    return made


def _load(program: str) -> Callable[[list[str]], int]:
    """What runs the program's command line."""
    if program == "engine":
        # As it does itself before it loads torch.
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
        import barista_engine.cli
        import barista_engine.compare_cmd
        import barista_engine.test_cmd
        import barista_engine.time_cmd
        import barista_engine.train_cmd

        sys.argv[0] = str(barista_engine.cli.__file__)
        return lambda words: barista_engine.cli.main()
    import barista_tui.cli
    import barista_tui.verbs

    for module in pkgutil.iter_modules(barista_tui.verbs.__path__):
        importlib.import_module(f"barista_tui.verbs.{module.name}")
    sys.argv[0] = "barista"
    return barista_tui.cli.main


def _serve(channel: socket.socket, program: str) -> None:
    """Fork for each request; answer with its pid, then its exit code (negative: that signal)."""
    main = _load(program)
    while True:
        word, files, _, _ = socket.recv_fds(channel, 64, 3)
        if not word:
            return
        pid = os.fork()
        if pid == 0:
            channel.close()
            os._exit(_run(main, *files))
        for file in files:
            os.close(file)
        channel.send(str(pid).encode())
        channel.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _run(main: Callable[[list[str]], int], asked: int, out: int, err: int) -> int:
    """What a new interpreter would do; the exit code."""
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
    sys.argv[1:] = request["words"]
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
        _serve(channel, sys.argv[2])
