"""Which rank this process is, and the processes it starts to be the others. Knows no torch."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from barista_engine.control import PLACE
from barista_engine.errors import CheckFailed

_ADDRESS, _TOKEN = "BARISTA_CAFFE_ROOT", "BARISTA_CAFFE_TOKEN"
_SIGNALS = signal.SIGINT, signal.SIGHUP
_JOIN = "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"
_PATIENCE = 60.0
"""Seconds that a rank which has done its part has to end."""


@dataclass(frozen=True, slots=True)
class Place:
    """This process among those that train together: `rank` of `count`, on this machine `local_rank` of
    `local_count`. `given` when others started it (torchrun, a script); `root`, (host, port, token), when
    rank 0 did.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    given: bool = False
    root: tuple[str, int, str] | None = None


def find_place(environ: Mapping[str, str]) -> Place:
    """What the environment says, as torchrun sets it. Raises CheckFailed where it makes no sense."""
    if not (environ.get("RANK") and environ.get("WORLD_SIZE")):
        return Place()
    numbers: dict[str, int] = {}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        text = environ.get(name, "")
        if text and not (text.isascii() and text.isdecimal()):
            raise _refused(f"{name}={text} in the environment is no number")
        if text:
            numbers[name] = int(text)
    rank, count = numbers["RANK"], numbers["WORLD_SIZE"]
    local_rank, local_count = numbers.get("LOCAL_RANK", 0), numbers.get("LOCAL_WORLD_SIZE", 1)
    if count <= 1:
        return Place()
    if not (rank < count and local_rank < local_count):
        global_, local = f"RANK {rank} of {count}", f"LOCAL_RANK {local_rank} of {local_count}"
        raise _refused(f"{global_}, {local} in the environment: ranks count from 0")
    root = None
    if _ADDRESS in environ:
        host, _, port = environ[_ADDRESS].rpartition(":")
        root = host, int(port), environ[_TOKEN]
    elif missing := [name for name in _JOIN if not environ.get(name)]:
        names = ", ".join(missing)
        raise _refused(f"the environment has WORLD_SIZE={count} but not {names}: unset or set all")
    return Place(rank, count, local_rank, local_count, root is None, root)


def new_token() -> str:
    """What the other ranks show to prove that they belong here."""
    return secrets.token_hex(16)


def ignore_signals() -> None:
    """Leave SIGINT and SIGHUP, which a terminal sends to everybody, to the root."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


class Children:
    """The ranks from 1 on, on this machine: processes with this one's command line."""

    def __init__(self) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, count: int, port: int, token: str) -> None:
        """Start them; `port` is where this process listens."""
        command = [sys.executable, "-P", "-m", "barista_engine.cli", *sys.argv[1:]]
        # A child that does not ignore them yet has both signals blocked, as they are in here meanwhile.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for rank in range(1, count):
                root = {_ADDRESS: f"127.0.0.1:{port}", _TOKEN: token}
                self._processes[rank] = subprocess.Popen(
                    command, env={**os.environ, **_place(rank, count), **root}, stdin=subprocess.DEVNULL
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.environ.update(_place(0, count))  # Python layers look there

    def cause(self, rank: int) -> str | None:
        """How the process of `rank` has ended; None while it lives or where others started it."""
        process = self._processes.get(rank)
        if process is None or (code := process.poll()) is None:
            return None
        if code >= 0:
            return f"has ended with exit code {code}"
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"

    def wait(self) -> None:
        """Until all have ended."""
        for process in self._processes.values():
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()

    def kill(self) -> None:
        """End all at once."""
        for process in self._processes.values():
            process.kill()


def _place(rank: int, count: int) -> dict[str, str]:
    """The environment of a rank whose company is on this machine."""
    numbers = {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": count}
    return {name: str(number) for name, number in numbers.items()}


def _refused(message: str) -> CheckFailed:
    return CheckFailed(f"Check failed: {message}", PLACE, 333)
