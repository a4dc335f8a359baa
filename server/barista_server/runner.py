"""Starts one caffe and waits for it, whatever becomes of the agent: ``python -I -S runner.py RUNDIR [LOCK]``.

As a job of Slurm it stays in the foreground: ``runner.py --job RUNDIR``, or ``--jobs LIST`` in an array,
whose task N takes line N of LIST. It then passes signals on to caffe, and ends it with a snapshot when Slurm
announces that its time is up.

Standard library only, and little of it (no pathlib): this process stays for as long as the training does. It
adds to the ``command.json`` in RUNDIR: ``caffe.log``, ``process.json`` (before caffe executes) and at the end
``exit.json``. The command itself returns as soon as ``process.json`` is on disk, or prints why it is not.
LOCK is the number of an inherited descriptor, held until then: while its file is locked, a run may begin.
"""
# ruff: noqa: PTH104, PTH118, PTH123, PTH208

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
EXIT_RESERVE = 4096
"""Bytes set aside for exit.json at the start, so that a disk full of snapshots still takes the verdict."""

MOST_DESCRIPTORS = 4096
"""Whatever was inherited lies below: caffe shall not hold on to somebody's pipes and sockets."""


def main(folder: str, lock: int = -1) -> int:
    """Detach a runner for the run in ``folder``; return once caffe is known to ``process.json``."""
    os.closerange(3, lock)
    os.closerange(max(3, lock + 1), MOST_DESCRIPTORS)
    if lock >= 0:
        os.set_inheritable(lock, False)
    told, tell = os.pipe()
    if os.fork() != 0:
        os.close(tell)
        with open(told, "rb") as pipe:
            words = pipe.read()
        if words != b"started":
            sys.stderr.write(words.decode(errors="replace") or "the runner ended before it started caffe\n")
            return 1
        return 0
    os.close(told)
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    try:
        run(folder, tell, lock)
    except Exception as error:
        _try_write(tell, f"{type(error).__name__}: {error}".encode())
        os._exit(1)
    os._exit(0)


def job(folder: str) -> int:
    """Run as a job. Its exit code is for Slurm's accounts: 0 when caffe's was."""
    ended = run(folder, None)
    return 0 if ended["code"] == 0 else 1


def folder_of_task(listed: str) -> str:
    """The line of ``listed`` that is this task's."""
    with open(listed, encoding="utf-8") as file:
        return file.read().splitlines()[int(os.environ["SLURM_ARRAY_TASK_ID"])]


def run(folder: str, tell: int | None, lock: int = -1) -> dict[str, Any]:
    """Start caffe, write down who it is, wait, write down how it ended; return that.

    ``tell``: where to say that it has started; None in a job, where signals are passed on.
    """
    relay = _Relay()
    null = _settle(relay, tell is None)
    # By this way the verdict gets to its place even if the session's folder is moved meanwhile.
    os.chdir(folder)
    folder = "."
    with open(os.path.join(folder, "command.json"), encoding="utf-8") as file:
        command = json.load(file)
    log = os.open(os.path.join(folder, "caffe.log"), os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    verdict = os.path.join(folder, "exit.json.part")
    _write(verdict, b" " * EXIT_RESERVE)
    wait_go, go = os.pipe()
    wait_failed, failed = os.pipe()
    begun, wall, killed = time.monotonic(), time.time(), out_of_memory_kills()
    child = os.fork()
    if child == 0:
        os.close(go)
        _become_caffe(command, log, wait_go, failed)
    for descriptor in (wait_go, failed, null):
        os.close(descriptor)
    relay.child = child
    _write_json(folder, "process.json", _process(child, command["nonce"], wall, log))
    if lock >= 0:
        os.close(lock)
    os.write(go, b"go")
    os.close(go)
    if tell is not None:
        _try_write(tell, b"started")
        os.close(tell)
    with open(wait_failed, "rb") as pipe:
        exec_error = pipe.read().decode(errors="replace")
    status, usage = _wait(child)
    _rescue(log, os.path.join(folder, "caffe.log"))
    ended = {
        **_end(status, usage),
        "exec_error": exec_error or None,
        "warned": relay.warned,
        "ended": time.time(),
        "wall_seconds": time.time() - wall,
        "monotonic_seconds": time.monotonic() - begun,
        "oom_kills": max(0, out_of_memory_kills() - killed),
        "left": _below(os.getpid()),
    }
    _write(verdict, json.dumps(ended, indent=1).encode() + b"\n")
    _rename(verdict, folder, "exit.json")
    return ended


def _settle(relay: _Relay, in_job: bool) -> int:
    """Signals, orphans and the standard descriptors are as a runner wants them; returns one of /dev/null."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, relay.take if in_job else signal.SIG_IGN)
    _become_subreaper()
    null = os.open(os.devnull, os.O_RDWR)
    # In a job what goes wrong is for the job's own output.
    for descriptor in (0,) if in_job else (0, 1, 2):
        os.dup2(null, descriptor)
    return null


def _process(child: int, nonce: str, started: float, log: int) -> dict[str, Any]:
    """What ``process.json`` says: who runs, so that another process is never taken for it."""
    return {
        "boot_id": boot_id(),
        "runner_pid": os.getpid(),
        "runner_start": start_ticks(os.getpid()),
        "caffe_pid": child,
        "caffe_start": start_ticks(child),
        "nonce": nonce,
        "started": started,
        "log": [os.fstat(log).st_dev, os.fstat(log).st_ino],
        "host": os.uname().nodename,
    }


def _end(status: int, usage: Any) -> dict[str, Any]:
    """What ``wait4`` told about caffe's end, for ``exit.json``."""
    return {
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "user_seconds": usage.ru_utime,
        "system_seconds": usage.ru_stime,
        "max_rss_kib": usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss // 1024,
        "blocks_in": usage.ru_inblock,
        "blocks_out": usage.ru_oublock,
    }


class _Relay:
    """Passes a job's signals on to the process that trains."""

    def __init__(self) -> None:
        self.child = 0
        self.warned = ""

    def take(self, number: int, frame: object) -> None:
        """SIGINT and SIGHUP as they are; what announces an end becomes SIGINT, which takes a snapshot."""
        target = _that_catches(self.child) if self.child else 0
        if number in (signal.SIGUSR1, signal.SIGTERM):
            self.warned = self.warned or ("time limit" if number == signal.SIGUSR1 else "terminated")
            if not target:
                # Too early for a snapshot: SIGINT would only kill it.
                return
            number = signal.SIGINT
        if self.child:
            try:
                os.kill(target or self.child, number)
            except OSError:
                pass


def _that_catches(pid: int) -> int:
    """``pid``, or the first process below it, that handles SIGINT and SIGHUP itself; 0 when there is none."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            mask = next((line.split()[1] for line in file if line.startswith("SigCgt:")), "0")
        if all(int(mask, 16) >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGHUP)):
            return pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
    except (OSError, ValueError, IndexError):
        return 0
    return next((found for child in children if (found := _that_catches(child))), 0)


def _become_caffe(command: dict[str, Any], log: int, wait_go: int, failed: int) -> None:
    """In the child: wait until the parent has written down who we are, then execute. Does not return."""
    try:
        if os.read(wait_go, 2) != b"go":
            os._exit(127)
        for number in signal.valid_signals():
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                pass
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(command["cwd"])
        environment = {**os.environ, **command["env"], "BARISTA_NONCE": command["nonce"]}
        # Only 0, 1 and 2 can be inherited (PEP 446); ``failed`` closes by itself when caffe executes.
        os.execvpe(command["argv"][0], command["argv"], environment)
    except OSError as error:
        name = error.filename or command["argv"][0]
        _try_write(failed, f"{name}: {error.strerror}".encode())
    finally:
        os._exit(127)


def _wait(child: int) -> tuple[int, Any]:
    """Status and resource usage of ``child``. Its orphans, which fall to us, are reaped on the way."""
    while True:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except InterruptedError:
            continue
        if pid == child:
            return status, usage


def _rescue(log: int, path: str) -> None:
    """A log that somebody deleted under caffe is there again at the end, if that can be."""
    try:
        if os.fstat(log).st_nlink == 0:
            with open(path, "wb") as file:
                at = 0
                while piece := os.pread(log, 1 << 20, at):
                    at += file.write(piece)
    except OSError:
        # The verdict, which comes next, matters more.
        pass


def _below(pid: int) -> list[list[int]]:
    """Pid and start of all processes below ``pid``; none where the system does not tell."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return []
    children: dict[int, list[int]] = {}
    try:
        names = [name for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []
    for name in names:
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(name))
    found, at = [pid], 0
    while at < len(found):
        found += children.get(found[at], [])
        at += 1
    return [[one, start_ticks(one)] for one in found[1:]]


def _become_subreaper() -> None:
    if sys.platform != "linux":
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


def boot_id() -> str:
    """Changes with every boot; empty where the system has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def start_ticks(pid: int) -> int:
    """Clock ticks from boot to the start of ``pid``; 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def out_of_memory_kills() -> int:
    """Processes killed so far as memory ran out, in our control group if it tells, else on the machine."""
    places = [("/proc/vmstat", "oom_kill")]
    for line in _lines("/proc/self/cgroup"):
        _, kind, path = line.split(":", 2)
        if kind == "":
            places.insert(0, (f"/sys/fs/cgroup{path}/memory.events", "oom_kill"))
        elif "memory" in kind.split(","):
            places.insert(0, (f"/sys/fs/cgroup/memory{path}/memory.oom_control", "oom_kill"))
    for file, name in places:
        for line in _lines(file):
            key, _, count = line.partition(" ")
            if key == name and count.isdecimal():
                return int(count)
    return 0


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _write_json(folder: str, name: str, value: dict[str, Any]) -> None:
    part = os.path.join(folder, f"{name}.part")
    _write(part, json.dumps(value, indent=1).encode() + b"\n")
    _rename(part, folder, name)


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        length = 0
        while length < len(data):
            length += os.write(descriptor, data[length:])
        os.ftruncate(descriptor, length)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(path: str, folder: str, name: str) -> None:
    os.rename(path, os.path.join(folder, name))
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _try_write(descriptor: int, data: bytes) -> None:
    try:
        os.write(descriptor, data)
    except OSError:
        pass


if __name__ == "__main__":
    if sys.argv[1] == "--job":
        sys.exit(job(sys.argv[2]))
    if sys.argv[1] == "--jobs":
        sys.exit(job(folder_of_task(sys.argv[2])))
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
