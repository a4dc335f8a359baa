"""Slurm's programs, asked as processes; their answers as values. Blocking, for threads."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from barista_server.agent.slurm.options import tail
from barista_server.api.slurm import Partition

PATIENCE = 30.0
"""Seconds a program of Slurm may take; they try for some themselves when the controller is away."""

_SQUEUE = "%i|%T|%r|%S|%N|%k"
_LOST = ("contact slurm controller", "Connection refused", "timed out", "configuration source", "Zero Bytes")
"""What its programs say when nobody has answered."""
_SINFO = "%R|%a|%l|%D|%t|%G|%c|%m|%P"


class SlurmError(Exception):
    """Slurm said no, or nothing; the text is in its words."""


class Refused(SlurmError):
    """It answered, and will not do what was asked."""


@dataclass(frozen=True)
class Job:
    """What squeue says of a job (of an array: of one task, ``12_3``)."""

    id: str
    state: str
    reason: str = ""
    starts: float | None = None
    node: str = ""
    key: str = ""

    @property
    def fate(self) -> str:
        """The state of a job that is over; one word for a node that could not start it."""
        return "BOOT_FAIL" if self.reason == "JobLaunchFailure" else self.state


def there() -> bool:
    """Slurm's programs are on the PATH."""
    return shutil.which("sbatch") is not None and shutil.which("squeue") is not None


def version() -> str:
    """``slurm 23.11.4``. Raises SlurmError."""
    return _run(["sbatch", "--version"]).strip().replace("-wlm", "")


def submit(arguments: Sequence[str], command: Sequence[str], script: str, environment: dict[str, str]) -> str:
    """Job id of a new job that executes ``script`` with the words of ``command``. Raises SlurmError."""
    out = _run(["sbatch", *arguments, script, *command], environment)
    job = out.strip().splitlines()[-1].partition(";")[0] if out.strip() else ""
    if not job.isdecimal():
        raise SlurmError(f"sbatch told no job id but {out!r}")
    return job


def jobs() -> dict[str, Job]:
    """All of this user that Slurm remembers, also those that ended a short while ago. Raises SlurmError."""
    out = _run(["squeue", "--me", "--array", "--states=all", "--noheader", f"--format={_SQUEUE}"])
    return {job.id: job for job in parse_jobs(out.splitlines())}


def parse_jobs(lines: Iterable[str]) -> list[Job]:
    """Rows of squeue; what has another form is left out."""
    found = []
    for line in lines:
        # A comment that is not ours may hold the separator: it is the last column.
        cells = line.strip().split("|", 5)
        if len(cells) != 6 or not cells[0]:
            continue
        id_, state, reason, starts, node, comment = cells
        key = comment if comment != "(null)" else ""
        found.append(Job(id_, state, reason, parse_time(starts), node.strip(), key))
    return found


def parse_time(text: str) -> float | None:
    """Local time as Slurm writes it, in seconds since the epoch."""
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
    except (ValueError, OverflowError):
        return None


def past(job: str) -> str | None:
    """Final state of a job that squeue has forgotten; None where nothing remembers it either.

    Raises SlurmError when the controller does not answer.
    """
    try:
        out = _run(["scontrol", "show", "job", "--oneliner", job])
        states = [word[9:] for word in out.split() if word.startswith("JobState=")]
        if states:
            return states[0]
    except Refused:
        pass
    try:
        out = _run(["sacct", "-X", "-n", "-P", "-j", job, "-o", "State"])
    except SlurmError:
        # Many clusters keep no accounts.
        return None
    words = out.split()
    return words[0] if words else None


def partitions() -> list[Partition]:
    """Rows of sinfo. Raises SlurmError."""
    found = []
    for line in _run(["sinfo", "--noheader", f"--format={_SINFO}"]).splitlines():
        cells = line.strip().split("|")
        if len(cells) != 9:
            continue
        name, up, limit, nodes, state, gres, cpus, memory, starred = cells
        found.append(
            Partition(
                name=name,
                default=starred.endswith("*"),
                up=up == "up",
                limit=limit,
                nodes=int(nodes) if nodes.isdecimal() else 0,
                state=state,
                gres="" if gres == "(null)" else gres,
                cpus=cpus,
                memory=memory,
            )
        )
    return found


def signal(job: str, name: str) -> None:
    """Have the job's runner, and only it, signalled: ``INT``, ``HUP``. Raises SlurmError."""
    _run(["scancel", "--batch", f"--signal={name}", job])


def cancel(job: str, *, kill: bool = False) -> None:
    """End the job, waiting or running. Raises SlurmError."""
    _run(["scancel", "--full", "--signal=KILL", job] if kill else ["scancel", job])


def _run(words: Sequence[str], environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env=environment,
        )
    except FileNotFoundError:
        raise SlurmError(f"{words[0]} is not on this machine") from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{words[0]} does not answer") from None
    except OSError as error:
        raise SlurmError(f"{words[0]}: {error.strerror}") from None
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    told = done.stderr.decode(errors="replace")
    if "configuration source" in told:
        raise SlurmError("Slurm is installed here, but finds no slurm.conf and no controller")
    text = tail(told.splitlines()) or f"{words[0]} ended with exit code {done.returncode}"
    raise (SlurmError if any(word in told for word in _LOST) else Refused)(text)
