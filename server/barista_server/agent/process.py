"""Who a process is, beyond its pid: pids are used again, so a pid alone is never signalled."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from barista_server.runner import boot_id

NONCE = "BARISTA_NONCE"
"""Environment variable that marks the runner of a run, its caffe and what that starts."""


class Identity(msgspec.Struct, frozen=True):
    """What must all fit for a process to be the one we started."""

    boot: str
    pid: int
    start: int
    """Clock ticks from boot to its start; 0 where the system does not tell."""
    nonce: str


def rebooted(identity: Identity) -> bool:
    """The machine was started anew since; no process of that time lives."""
    return identity.boot != boot_id()


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
    """This very process runs: it exists and carries our mark."""
    if not exists(identity):
        return False
    if sys.platform != "linux":
        return True
    try:
        environment = Path(f"/proc/{identity.pid}/environ").read_bytes()
    except OSError:
        return False
    return f"{NONCE}={identity.nonce}".encode() in environment.split(b"\0")


def marked(nonce: str) -> list[int]:
    """Pids of all processes that carry a mark; for a run whose process.json is lost. Linux only. Blocks."""
    mark = f"{NONCE}={nonce}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return sorted(found)


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
