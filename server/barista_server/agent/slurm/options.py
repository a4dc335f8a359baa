"""What sbatch is told, and what a person may tell it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from barista_server.agent.errors import CallError
from barista_server.api.things import SlurmOptions

LEAST_LEAD = 60
"""Seconds before the time limit that caffe is asked to stop, at least; Slurm looks twice a minute."""
MOST_LEAD = 65535

_OURS = (
    "array", "comment", "signal", "output", "error", "open-mode", "chdir", "wrap", "parsable", "requeue",
    "no-requeue", "job-name", "wait", "help", "usage", "version", "test-only", "hold", "clusters", "input",
    "export", "export-file", "batch", "ntasks", "nodes",
)  # fmt: skip
_OUR_LETTERS = "aeoDiJWHhVMnN"
_WORD = re.compile(r"[!-~]+")
_TIME = re.compile(r"\d+|\d+:\d\d|\d+:\d\d:\d\d|\d+-\d{1,2}(:\d\d){0,2}|infinite|UNLIMITED", re.IGNORECASE)


def checked(options: SlurmOptions) -> SlurmOptions:
    """The options as they are, if sbatch can be given them. Raises CallError."""
    for name in ("partition", "gres", "memory", "account"):
        value = getattr(options, name)
        if value and (not _WORD.fullmatch(value) or value.startswith("-")):
            raise CallError("invalid", f"'{value}' is no {name}", "It is one word of plain letters.")
    if options.time and not _TIME.fullmatch(options.time):
        hint = "A time limit is a number of minutes, HH:MM:SS or DAYS-HH."
        raise CallError("invalid", f"'{options.time}' is no time limit", hint)
    if not 0 <= options.cpus <= 100_000:
        raise CallError("invalid", f"{options.cpus} is no number of processors")
    for word in options.arguments:
        _check_argument(word)
    return options


def _check_argument(word: str) -> None:
    if not word.startswith("-") or not word.isprintable():
        hint = "Give it as one word: --sbatch-arg=--qos=long."
        raise CallError("invalid", f"'{word}' is no argument of sbatch", hint)
    long = word[2:].partition("=")[0] if word.startswith("--") else ""
    # sbatch also takes beginnings of a long name.
    taken = any(name.startswith(long) for name in _OURS) if long else word[1:2] in _OUR_LETTERS
    if word in ("-", "--") or taken:
        text = f"'{word}' is set by Barista itself, or would keep it from knowing the job"
        raise CallError("invalid", text, "Leave it out.")


def lead(options: SlurmOptions, patience: float) -> int:
    """Seconds before the time limit to ask for a snapshot; ``patience``: what one takes at the longest."""
    limit = seconds(options.time)
    most = MOST_LEAD if limit is None else max(1, limit // 2)
    return int(min(max(LEAST_LEAD, patience), most, MOST_LEAD))


def seconds(limit: str) -> int | None:
    """Of a time limit as sbatch takes it; None where there is none or it is unlimited."""
    if not limit or not limit[0].isdecimal():
        return None
    days, dash, rest = limit.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash:
        hours, minutes, secs = [*parts, 0, 0][:3]
    elif len(parts) == 3:
        hours, minutes, secs = parts
    else:
        hours, (minutes, secs) = 0, ([*parts, 0][:2])
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + secs


def arguments(
    options: SlurmOptions, *, name: str, key: str, output: str, lead: int, array: str = ""
) -> list[str]:
    """Of sbatch, up to the script. ``key`` comes back as the job's comment; ``array``: ``0-3%2``."""
    words = [
        "--parsable",
        # Whether to go on after a lost node is decided here, where the snapshots are known.
        "--no-requeue",
        "--nodes=1",
        "--ntasks=1",
        f"--job-name={name}",
        f"--comment={key}",
        f"--output={output}",
        f"--signal=B:USR1@{lead}",
    ]
    given = {
        "partition": options.partition,
        "gres": options.gres,
        "time": options.time,
        "cpus-per-task": str(options.cpus or ""),
        "mem": options.memory,
        "account": options.account,
        "array": array,
    }
    words += [f"--{option}={value}" for option, value in given.items() if value]
    return [*words, *options.arguments]


def job_name(session: str, name: str) -> str:
    """For people who look at squeue: plain letters only."""
    plain = re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII).strip("_")
    return f"barista-{session}-{plain}"[:60]


def array_of(count: int, at_once: int) -> str:
    """Task numbers of an array."""
    return f"0-{count - 1}" + (f"%{at_once}" if at_once else "")


_REASONS: dict[str, str] = {
    "Priority": "jobs of higher priority go first",
    "Resources": "waits for a free node",
    "Dependency": "waits for another job",
    "DependencyNeverSatisfied": "waits for a job that failed: it will never start",
    "BeginTime": "its begin time has not come",
    "JobHeldUser": "held; release it with scontrol",
    "JobHeldAdmin": "held by the administrator",
    "PartitionDown": "the partition is down",
    "PartitionInactive": "the partition is inactive",
    "PartitionTimeLimit": "its time limit is longer than the partition's: it will never start",
    "PartitionNodeLimit": "it asks for more than the partition has",
    "PartitionConfig": "it asks for more than the partition has",
    "NodeDown": "a node it needs is down",
    "BadConstraints": "no node has what it asks for",
    "Licenses": "waits for a licence",
    "Reservation": "waits for its reservation",
    "JobArrayTaskLimit": "as many tasks of the array as may run do",
    "InvalidAccount": "the account is not valid",
    "InvalidQOS": "the QOS is not valid",
    "AssociationJobLimit": "your limit of jobs is reached",
    "launch failed requeued held": "it could not be started on its node and is held",
}


def reason_words(reason: str) -> str:
    """Why a job waits, for people; Slurm's own word where it is a rare one."""
    plain = reason.strip("()")
    if plain in ("", "None"):
        return "waits for the scheduler"
    if plain in _REASONS:
        return _REASONS[plain]
    if plain.startswith("ReqNodeNotAvail"):
        return "a node it needs is not available"
    if plain.startswith(("QOS", "Assoc", "MaxJobs", "MaxCpu", "MaxGRES")):
        return f"a limit of yours is reached ({plain})"
    return plain


def tail(words: Sequence[str]) -> str:
    """What Slurm complained of, without the names of its programs."""
    lines = [re.sub(r"^\w+: (error|fatal): ", "", line.strip()) for line in words if line.strip()]
    return "; ".join(dict.fromkeys(lines))
