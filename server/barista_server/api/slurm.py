"""What the messages say of Slurm: how a session asks for a job, and what the cluster looks like."""

from __future__ import annotations

from barista_server.api.things import Message


class SubmitArray(Message, frozen=True, tag="submit-array"):
    """Start several sessions as one job array, a task each. Answered by :class:`Submitted`.

    All take the options of the first. ``at_once``: how many may run at a time (0: as many as Slurm lets).
    """

    sessions: list[str]
    at_once: int = 0


class GetSlurm(Message, frozen=True, tag="get-slurm"):
    """Answered by :class:`SlurmReport`."""


class Submitted(Message, frozen=True, tag="submitted"):
    job: str
    sessions: list[str]
    """Ids, in order of the array's tasks."""


class Partition(Message, frozen=True):
    """One row of sinfo: nodes of a partition that are in one state."""

    name: str
    default: bool
    up: bool
    limit: str
    """Longest time, as Slurm writes it: ``1-00:00:00``, ``infinite``."""
    nodes: int
    state: str
    gres: str
    cpus: str
    memory: str
    """MiB a node."""


class SlurmJob(Message, frozen=True):
    """A job of this agent's sessions that Slurm knows."""

    job: str
    session: str
    """Id."""
    run: int
    state: str
    """Slurm's word: ``PENDING``, ``RUNNING``."""
    reason: str = ""
    """Why it waits, in words."""
    starts: float | None = None
    """When Slurm expects to start it, or started it."""
    node: str = ""


class SlurmReport(Message, frozen=True, tag="slurm-report"):
    """``problem``: why Slurm cannot be asked; then the rest is what was known last."""

    version: str = ""
    partitions: list[Partition] = []
    jobs: list[SlurmJob] = []
    problem: str = ""


SlurmCall = SubmitArray | GetSlurm
SlurmResult = Submitted | SlurmReport
SLURM_LOOKS: frozenset[type[Message]] = frozenset({GetSlurm})
