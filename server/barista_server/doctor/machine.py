"""What the agent needs of Python, the kernel and /proc."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from barista_server import __version__
from barista_server.doctor.report import Finding
from barista_server.runner import PR_SET_CHILD_SUBREAPER, boot_id, start_ticks

NEEDED = ("msgspec", "numpy", "protobuf", "asyncssh", "lmdb", "h5py", "psutil")
LEAST_FILES = 256
LEAST_PROCESSES = 200
STEP = 1.0
"""Seconds between kernel log time and wall clock that are no step of the clock."""
_PR_GET_CHILD_SUBREAPER = 37


def check_python() -> Finding:
    """Python, and that the libraries the agent needs are there."""
    missing = [name for name in NEEDED if not _version(name)]
    text = f"barista-server {__version__}, Python {platform.python_version()} on {platform.machine()}"
    if missing:
        advice = f"{sys.executable} -m pip install --upgrade barista-server"
        return Finding("python", "bad", f"{text}; without {', '.join(missing)}", advice)
    return Finding("python", "ok", f"{text}, msgspec {_version('msgspec')}, numpy {_version('numpy')}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def check_identity(proc: Path = Path("/proc")) -> list[Finding]:
    """How a process is known again: boot id, start time, environment; and a pidfd to signal it by."""
    found = []
    if not boot_id() or not start_ticks(os.getpid()):
        text = "boot id or start times of processes cannot be read below /proc"
        advice = "After an agent's death, trainings may be taken for others'. Mount /proc as usual."
        found.append(Finding("identity", "bad", text, advice))
    else:
        found.append(Finding("identity", "ok", f"boot {boot_id()[:8]}, start times readable"))
    try:
        os.close(os.pidfd_open(os.getpid()))
        found.append(Finding("pidfd", "ok", "processes are signalled by descriptor, never by number alone"))
    except (AttributeError, OSError) as error:
        text = f"no pidfd here ({error})"
        found.append(
            Finding("pidfd", "warn", text, "Linux 5.3 or newer has them; signals go by number instead.")
        )
    hidden = any(
        "hidepid=" in line and "hidepid=0" not in line for line in _mounts(proc) if " /proc " in line
    )
    if hidden and os.getuid() != 0:
        text = "/proc shows only your own processes (hidepid)"
        advice = "All that is yours works; who else holds a graphics card is not told."
        found.append(Finding("proc", "warn", text, advice))
    else:
        found.append(Finding("proc", "ok", "/proc shows processes"))
    return found


def _mounts(proc: Path) -> list[str]:
    try:
        return (proc / "mounts").read_text().splitlines()
    except OSError:
        return []


def check_subreaper() -> Finding:
    """A runner must be given the orphans of its caffe; tried in a child, as it is inherited by nobody."""
    pid = os.fork()
    if pid == 0:
        try:
            libc = ctypes.CDLL(None)
            value = ctypes.c_int(0)
            libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(value), 0, 0, 0)
            os._exit(0 if value.value == 1 else 1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(pid, 0)
    if status == 0:
        return Finding("subreaper", "ok", "the runner keeps what a wrapper leaves behind")
    advice = "A caffe that outlives its wrapper is still found by the mark in its environment, on Linux."
    return Finding("subreaper", "warn", "a process cannot become the parent of orphans here", advice)


def check_limits(
    limit: Callable[[int], tuple[int, int]] = resource.getrlimit, root: Path = Path("/")
) -> Finding:
    """ulimits and the control group's limit of processes."""
    wrong, advice = [], []
    files = limit(resource.RLIMIT_NOFILE)[0]
    if 0 <= files < LEAST_FILES:
        wrong.append(f"only {files} open files")
        advice.append("ulimit -n 4096 before the agent starts, or nofile in /etc/security/limits.conf")
    processes = limit(resource.RLIMIT_NPROC)[0]
    if 0 <= processes < LEAST_PROCESSES:
        wrong.append(f"only {processes} processes")
        advice.append("ulimit -u 4096 before the agent starts, or nproc in /etc/security/limits.conf")
    for name, kind in ((resource.RLIMIT_CPU, "seconds of CPU time"), (resource.RLIMIT_FSIZE, "bytes a file")):
        if limit(name)[0] >= 0:
            wrong.append(f"at most {limit(name)[0]} {kind}")
            advice.append("trainings end at that limit: start the agent where ulimit says unlimited")
    room = _pids_left(root)
    if room is not None and room < LEAST_PROCESSES:
        wrong.append(f"the control group has room for {room} more processes")
        advice.append("raise TasksMax= of the user's slice (systemctl show user.slice)")
    if wrong:
        return Finding("limits", "warn", ", ".join(wrong), "\n".join(advice))
    told = "any number" if room is None else f"{room} more"
    return Finding("limits", "ok", f"{'any number of' if files < 0 else files} open files, {told} processes")


def _pids_left(root: Path) -> int | None:
    """The least room that the control groups above us leave (cgroup v2); None: no limit."""
    try:
        line = next(x for x in (root / "proc/self/cgroup").read_text().splitlines() if x.startswith("0::"))
    except (OSError, StopIteration):
        return None
    group, room = root / "sys/fs/cgroup" / line[3:].lstrip("/"), []
    top = root / "sys/fs/cgroup"
    while group.is_relative_to(top):
        try:
            most, now = ((group / f"pids.{name}").read_text().strip() for name in ("max", "current"))
            room += [int(most) - int(now)] if most != "max" else []
        except (OSError, ValueError):
            pass
        group = group.parent
    return min(room, default=None)


def check_clock(seconds: float = 0.3) -> Finding:
    """The wall clock goes as the monotonic one, and is of this age."""
    wall, steady = time.time(), time.monotonic()
    time.sleep(seconds)
    drift = (time.time() - wall) - (time.monotonic() - steady)
    if abs(drift) > seconds / 3:
        text = f"the clock was put by {drift:+.1f} s while it was looked at"
        return Finding(
            "clock", "warn", text, "Durations and orders stay right; times of day in logs jump. Use NTP."
        )
    newest = Path(__file__).stat().st_mtime
    if time.time() < newest - 86400:
        text = f"it is {time.strftime('%Y-%m-%d %H:%M')}, earlier than when this program was installed"
        return Finding("clock", "warn", text, "Set the clock (timedatectl set-ntp true).")
    return Finding("clock", "ok", f"it is {time.strftime('%Y-%m-%d %H:%M %Z')} and the clock goes evenly")
