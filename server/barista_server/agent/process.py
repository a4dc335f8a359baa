"""Who a process is, beyond its pid: pids are used again, so a pid alone is never signalled."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from barista_server import runner
from barista_server.runner import boot_id

NONCE = "BARISTA_NONCE"
"""Environment variable that marks the runner of a run, its caffe and what that starts."""


RUNNER = str(runner.__file__)
"""The argument by which a runner is told from what it started."""


class Identity(msgspec.Struct, frozen=True):
    """What must all fit for a process to be the one we started."""

    boot: str
    pid: int
    start: int
    """Clock ticks from boot to its start; 0 where the system does not tell."""
    nonce: str
    told: bool = False
    """The runner wrote down that it comes of this run: it need not carry the mark."""


def rebooted(identity: Identity) -> bool:
    """The machine was started anew since; no process of that time lives."""
    return identity.boot != _this_boot()


@cache
def _this_boot() -> str:
    return boot_id()


def exists(identity: Identity) -> bool:
    """A process of this pid and start runs (a zombie does not). Enough to watch one that was seen alive."""
    if rebooted(identity):
        return False
    if sys.platform != "linux":
        return _is_alive_elsewhere(identity)
    try:
        stat = Path(f"/proc/{identity.pid}/stat").read_bytes()
    except OSError:
        return False
    fields = stat.rpartition(b")")[2].split()
    return fields[0] not in (b"Z", b"X") and int(fields[19]) == identity.start


def is_alive(identity: Identity) -> bool:
    """This very process runs: it exists and carries our mark. One that carries none, as containers and
    ``env -i`` empty the environment, is known by the nearest above it that does; the runner takes in orphans.
    """
    if not exists(identity):
        return False
    if sys.platform != "linux" or identity.told:
        return True
    pid = identity.pid
    while pid > 1:
        if mark := _mark(pid):
            return mark == identity.nonce
        pid = _parent(pid)
    return False


def _mark(pid: int) -> str:
    """The nonce a process carries; empty: none, or it cannot be seen."""
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    before = f"{NONCE}=".encode()
    return next(
        (word[len(before) :].decode(errors="replace") for word in words if word.startswith(before)), ""
    )


def _parent(pid: int) -> int:
    """0: not known."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def marked(nonce: str) -> list[Identity]:
    """All processes of a run but the runner, parents before children: those that carry its mark, and those
    below them that carry none. Linux only. Blocks.
    """
    return [one.identity for one in _family(nonce) if not one.runner]


def recover(nonce: str) -> tuple[Identity | None, Identity] | None:
    """Runner (if it lives) and caffe of a run whose process.json is lost, if caffe lives. Blocks."""
    family = _family(nonce)
    waiting = next((one.identity for one in family if one.runner), None)
    caffe = next((one.identity for one in family if not one.runner), None)
    return (waiting, caffe) if caffe is not None else None


def trainer(caffe: Identity) -> Identity:
    """The process signals are for: ``caffe`` itself, or when that is a wrapper which passes none on, the
    first one it started that catches them. Blocks.
    """
    if sys.platform != "linux" or _catches(caffe.pid):
        return caffe
    return next((one for one in marked(caffe.nonce) if _catches(one.pid)), caffe)


def trains(identity: Identity) -> bool:
    """Whether it catches the signals that caffe does. Linux only."""
    return _catches(identity.pid)


@dataclass(frozen=True)
class _Member:
    identity: Identity
    parent: int
    runner: bool


def _family(nonce: str) -> list[_Member]:
    """The processes of a run, parents before children, siblings by age."""
    found: dict[int, _Member] = {}
    unmarked: list[_Member] = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_bytes().rpartition(b")")[2].split()
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if fields[0] in (b"Z", b"X"):
            continue
        pid, mark = int(path.name), _mark(int(path.name))
        identity = Identity(boot_id(), pid, int(fields[19]), nonce)
        member = _Member(identity, int(fields[1]), os.fsencode(RUNNER) in words)
        if mark == nonce:
            found[pid] = member
        elif not mark:
            unmarked.append(member)
    while below := [one for one in unmarked if one.parent in found]:
        found |= {one.identity.pid: one for one in below}
        unmarked = [one for one in unmarked if one.parent not in found]

    def depth(member: _Member) -> int:
        parent = found.get(member.parent)
        return 0 if parent is None else 1 + depth(parent)

    return sorted(found.values(), key=lambda one: (depth(one), one.identity.start, one.identity.pid))


def _catches(pid: int) -> bool:
    """Handles both SIGINT and SIGHUP by itself, as caffe does: shells that wait for it do not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        mask = int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
    except (OSError, StopIteration, ValueError):
        return False
    return all(mask >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGHUP))


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal this very process. False when it is not there any more (or is another one by now)."""
    if sys.platform != "linux":
        if not is_alive(identity):
            return False
        os.kill(identity.pid, number)
        return True
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return False
    try:
        # The descriptor holds on to one process: checked after it was opened, it is the one we signal.
        if not is_alive(identity):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_alive_elsewhere(identity: Identity) -> bool:
    """Without /proc: psutil, and the nonce alone tells our process from others."""
    import psutil

    try:
        process = psutil.Process(identity.pid)
        zombie = process.status() == psutil.STATUS_ZOMBIE
        return not zombie and process.environ().get(NONCE) == identity.nonce
    except (psutil.Error, OSError):
        return False
