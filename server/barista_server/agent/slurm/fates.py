"""What Slurm's last word on a job means for its session. Pure."""

from __future__ import annotations

from barista_server.agent.runs import Run
from barista_server.agent.slurm.launcher import GONE, NEVER
from barista_server.agent.states import Happening
from barista_server.agent.verdict import Verdict
from barista_server.api.messages import Problem

TIME_LIMIT = "time limit"
"""``warned`` in exit.json: Slurm announced the end of the job's time."""
MOST_TRIES = 3
"""Runs in a row that come no further than the one before."""

_WORDS = {
    "BOOT_FAIL": "its node could not start it",
    "CANCELLED": "it was cancelled",
    "COMPLETED": "Slurm calls it completed, but nothing tells how caffe ended",
    "DEADLINE": "its deadline has passed",
    "FAILED": "the job failed",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it took more memory than it had asked for",
    "PREEMPTED": "it had to make room for another job",
    "TIMEOUT": "its time limit was reached before caffe had written a snapshot",
    GONE: "Slurm does not know it any more, and nothing tells how it ended",
}
_HINTS = {
    "OUT_OF_MEMORY": "Ask for more: barista set SESSION --memory 32G; or use a smaller batch.",
    "TIMEOUT": "Give it more time: barista set SESSION --time; or have the solver take snapshots more often.",
    "FAILED": "See slurm.log in the run's folder.",
    GONE: "Start goes on from the snapshot.",
}
_KILLS = ("CANCELLED", "DEADLINE", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")
"""Fates that explain a signal."""
_LOST = ("BOOT_FAIL", "NODE_FAIL", "PREEMPTED", "TIMEOUT", GONE, "COMPLETED")
_AGAIN = ("BOOT_FAIL", "NODE_FAIL", "PREEMPTED", "TIMEOUT")


def told(run: Run, verdict: Verdict) -> Verdict:
    """The verdict in the light of what became of the job, where its folder alone does not tell."""
    fate, job = run.fate, run.ticket.job if run.ticket else "?"
    if fate in ("", NEVER):
        return verdict
    if run.exit is not None and (run.exit.signal is None or fate not in _KILLS):
        return verdict
    if verdict.happening is not Happening.LOST and run.exit is None:
        return verdict
    if run.forced:
        hint = "What was trained since the last snapshot is lost; start goes on from there."
        problem = Problem(text=f"job {job} was cancelled by force", hint=hint)
        return Verdict(Happening.BROKE, verdict.iteration, [problem])
    text = f"job {job} of Slurm has ended: {_WORDS.get(fate, fate)}"
    happening = Happening.LOST if fate in _LOST else Happening.BROKE
    return Verdict(happening, verdict.iteration, [Problem(text=text, hint=_HINTS.get(fate))])


def reason_to_go_on(run: Run, verdict: Verdict, tries: int) -> str:
    """Why it is to be submitted again at once, or nothing. ``tries``: runs in a row that came no further."""
    if run.pausing or run.forced or verdict.happening in (Happening.COMPLETED, Happening.BROKE):
        return ""
    warned = run.exit.warned if run.exit else ""
    if warned == TIME_LIMIT and verdict.happening is Happening.STOPPED:
        reason = "its time limit was reached"
    elif run.fate in _AGAIN:
        reason = _WORDS[run.fate]
    else:
        return ""
    return "" if tries >= MOST_TRIES else reason
