"""One start of caffe: its folder, its processes, its log; and how it is started."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from barista_server import runner
from barista_server.agent import files, logcare, process
from barista_server.agent.parts import Facts, Part
from barista_server.agent.process import Identity
from barista_server.agent.snapshots import Stamp
from barista_server.agent.store import Command, Exit, Process, Ticket
from barista_server.agent.tail import Log, Pulse
from barista_server.agent.verdict import Verdict
from barista_server.api.messages import RunInfo, Snapshot

T = TypeVar("T")

LAUNCH_TIMEOUT = 30.0
STARTING = "starting.lock"
"""In a run's folder: locked by the agent and the runner while the run may yet begin."""
LEAST_PATIENCE = 60.0
SLOW_DISK = 10e6
"""Bytes a second: what a snapshot is granted at least."""

ENVIRONMENT = {"GLOG_logtostderr": "1", "GLOG_minloglevel": "0", "GLOG_log_prefix": "1"}
"""Every line to the one log, none of them filtered, no copies in /tmp."""


class LaunchError(Exception):
    """The run could not be started; the text says why."""


class Run:
    """``runs/NNNN`` of a session as far as it is written. Reading raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = int(path.name)
        self.command: Command | None = None
        self.process: Process | None = None
        self.exit: Exit | None = None
        self.ticket: Ticket | None = None
        """Of a run that is a job of Slurm."""
        self.fate = ""
        """How that job ended, in Slurm's word."""
        self.told: Facts | None = None
        """Facts from the journal, for a run that has ended and whose log was not read again."""
        self._silent: float | None = None
        """When it was heard of last, if nobody saw it end."""
        self.verdict: Verdict | None = None
        """What it came to, once it has ended."""
        self.began = asyncio.Event()
        """Set when caffe understands signals, or is over."""
        self.over = asyncio.Event()
        """Set with the verdict."""
        self.reading = asyncio.Lock()
        """Held by whoever has the log of a run that is over parsed as a whole."""
        self.forced = self.pausing = self.interrupted = self.withdrawn = False
        """What was done to it: a person had it killed, asked it to pause, SIGINT was sent; or a person took
        back a job before it started.
        """
        self.damage: dict[str, str] = {}
        """What is wrong with its files, by name; these count as absent."""
        self.before: set[Stamp | None] | None = None
        """Snapshots there were when it started; None: not known, the clock must tell."""
        self.pulse = Pulse(time.monotonic())
        self.refresh()
        self.log = Log(path / "caffe.log", self.started)

    def refresh(self) -> None:
        """Read what has appeared since."""
        self.command = self.command or self._read("command.json", Command)
        self.process = self.process or self._read("process.json", Process)
        self.exit = self.exit or self._read("exit.json", Exit)
        if self.command is not None and self.command.slurm is not None:
            self.ticket = self.ticket or self._read("job.json", Ticket)

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return files.read_json(self.path / name, kind)
        except FileNotFoundError:
            return None
        except ValueError as error:
            self.damage[name] = str(error)
            return None

    @property
    def started(self) -> float:
        """Seconds since the epoch."""
        if self.process is not None:
            return self.process.started
        try:
            return (self.path / "command.json").stat().st_mtime
        except FileNotFoundError:
            return self.path.stat().st_mtime

    @property
    def ended(self) -> float | None:
        """Seconds since the epoch; not before the start, even if the clock was put back meanwhile."""
        if self.exit is None:
            return self._silent
        if self.exit.ended >= self.started:
            return self.exit.ended
        return self.started + self.exit.monotonic_seconds

    @property
    def nonce(self) -> str | None:
        """The mark of its processes; None when neither of the files that tell it can be read."""
        known = self.process or self.command
        return known.nonce if known else None

    def may_begin(self) -> bool:
        """Somebody is about to write process.json. Blocks briefly. Raises OSError."""
        try:
            lock = os.open(self.path / STARTING, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    @property
    def never_began(self) -> bool:
        """Nothing of caffe was seen yet; that is final once it may not begin any more."""
        nothing = self.process is None and self.exit is None and self.ticket is None
        return nothing and not self.damage and self.facts().size == 0

    def find_process(self) -> bool:
        """Without process.json: find caffe by its mark and write the file anew. False when it does not live.
        Blocks. Raises OSError.
        """
        nonce = self.nonce
        found = process.recover(nonce) if nonce is not None else None
        if nonce is None or found is None:
            return False
        waiting, caffe = found
        self.process = Process(
            boot_id=caffe.boot,
            runner_pid=waiting.pid if waiting else 0,
            runner_start=waiting.start if waiting else 0,
            caffe_pid=caffe.pid,
            caffe_start=caffe.start,
            nonce=nonce,
            started=self.started,
            host=os.uname().nodename,
            log=logcare.inode_of(self.path / "caffe.log", caffe),
        )
        files.write_json(self.path / "process.json", self.process)
        self.damage.pop("process.json", None)
        return True

    @property
    def caffe(self) -> Identity | None:
        """The process that trains, once it is known."""
        found = self.process
        return Identity(found.boot_id, found.caffe_pid, found.caffe_start, found.nonce) if found else None

    @property
    def runner(self) -> Identity | None:
        """The process that waits for it."""
        found = self.process
        return Identity(found.boot_id, found.runner_pid, found.runner_start, found.nonce) if found else None

    def remaining(self, before: Sequence[Identity] = ()) -> list[Identity]:
        """Its processes but the runner: those found now, and of what the runner left behind, or was seen
        ``before`` (one that dies loses its mark before it is gone), what is still there. Blocks.
        """
        known = list(before)
        if self.exit is not None and self.process is not None:
            boot, nonce = self.process.boot_id, self.process.nonce
            known += [Identity(boot, pid, start, nonce, told=True) for pid, start in self.exit.left]
        found = process.marked(self.nonce) if self.nonce is not None else []
        there = [one for one in known if process.exists(one)]
        return list({one.pid: one for one in (*found, *there)}.values())

    @property
    def part(self) -> Part:
        """Its log, as far as it is parsed."""
        return self.log.part

    def release(self) -> None:
        """Free what was parsed, and remember what it came to."""
        self.told = self.facts()
        self.log.forget()

    def facts(self) -> Facts:
        """What the log says, read now or remembered."""
        return self.told if self.told is not None and self.log.read == 0 else self.log.facts()

    def runner_lives(self) -> bool:
        """exit.json may still come."""
        return self.runner is not None and process.exists(self.runner)

    async def read_log(self) -> None:
        """Parse all there is, giving way to others after each chunk."""
        more = self.log.grow()
        while more:
            await asyncio.sleep(0)
            more = self.log.grow()

    def end(self, verdict: Verdict) -> None:
        """It is over."""
        self.verdict = verdict
        if self.exit is None:
            with suppress(OSError):
                self._silent = (self.path / "caffe.log").stat().st_mtime
        self.began.set()
        self.over.set()

    def info(self) -> RunInfo:
        """For clients."""
        facts = self.facts()
        return RunInfo(
            number=self.number,
            started=self.started,
            ended=self.ended,
            resumed_from=self.command.resumed_from if self.command else None,
            exit_code=self.exit.code if self.exit else None,
            signal=self.exit.signal if self.exit else None,
            log_size=facts.size,
            lines=facts.lines,
        )


def patience(run: Run | None, snapshots: Sequence[Snapshot]) -> float:
    """Seconds until caffe has reacted to a signal: after its iteration, and with a snapshot."""
    pace = run.log.pace() if run is not None else None
    iteration_time = 1 / pace.speed if pace and pace.speed else LEAST_PATIENCE
    model = max((snapshot.size for snapshot in snapshots), default=0)
    return max(LEAST_PATIENCE, 20 * iteration_time) + 2 * model / SLOW_DISK


def train_command(
    argv: list[str],
    folder: Path,
    device: str,
    state: str | None,
    iteration: int | None,
    caffe: str,
    weights: str = "",
) -> Command:
    """``caffe train`` in the session's folder, going on from a solver state if one is given, else starting
    from weights if there are any.
    """
    arguments = [*argv, "train", "--solver=solver.prototxt"]
    if state is not None:
        arguments.append(f"--snapshot={state}")
    elif weights:
        arguments.append(f"--weights={weights}")
    if device != "cpu":
        arguments.append(f"--gpu={device}")
    return Command(
        argv=arguments,
        cwd=str(folder),
        env=ENVIRONMENT,
        nonce=secrets.token_hex(16),
        resumed_from=iteration,
        device=device,
        caffe=caffe,
    )


def discard(path: Path) -> None:
    """Take away the folder of a run that never was. Raises OSError."""
    shutil.rmtree(path)


def launch(path: Path, command: Command) -> Run:
    """Start the runner in an empty run folder; returns when process.json is there. Blocks.

    Raises LaunchError, OSError.
    """
    environment = {**os.environ, process.NONCE: command.nonce}
    lock = os.open(path / STARTING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # Ours, then the runner's too, who inherits it: freed when neither can write process.json any more.
        fcntl.flock(lock, fcntl.LOCK_EX)
        files.write_json(path / "command.json", command)
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(runner.__file__), str(path), str(lock)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=LAUNCH_TIMEOUT,
            check=False,
            pass_fds=(lock,),
        )
    except subprocess.TimeoutExpired:
        # It may still come to it: whoever watches the run waits for process.json.
        return Run(path)
    finally:
        os.close(lock)
    if done.returncode != 0:
        raise LaunchError(done.stderr.decode(errors="replace").strip() or "the runner failed")
    return Run(path)
