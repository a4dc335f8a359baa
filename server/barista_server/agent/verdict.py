"""What a run came to, from what is left of it: exit.json, log, snapshots. Pure."""

from __future__ import annotations

import signal

import msgspec

from barista_server.agent.parts import Facts
from barista_server.agent.states import Happening
from barista_server.agent.store import Exit
from barista_server.api.messages import Problem
from barista_server.caffe.log import Kind, decode
from barista_server.caffe.log.reason_table import SEE_LOG

_GO_ON = "Start goes on from the newest good snapshot."


class Verdict(msgspec.Struct, frozen=True):
    """How it ended; ``iteration`` is where the training stands now."""

    happening: Happening
    iteration: int
    problems: list[Problem] = []


def judge(
    ended: Exit | None,
    facts: Facts,
    snapshot: int | None,
    max_iter: int,
    *,
    begun: int | None = None,
    forced: bool = False,
    interrupted: bool = False,
    told: bool = False,
    shut_down: bool = False,
) -> Verdict:
    """``snapshot``: iteration of the newest verified snapshot this run wrote. ``ended`` None: caffe vanished.

    ``begun``: the iteration it began at, if a start from there can be had again. ``forced``: a person had it
    killed. ``interrupted``: SIGINT was sent. ``told``: its runner lived to tell
    the end, though that cannot be read. ``shut_down``: the machine was started anew since.
    """
    goal = facts.max_iter if facts.max_iter is not None else max_iter
    at = max(facts.iteration, snapshot or 0)
    if ended is not None and shut_down and not forced and ended.signal in (signal.SIGTERM, signal.SIGKILL):
        text = f"the machine was shut down while it trained ({_signal_name(ended.signal)})"
        return Verdict(Happening.LOST, facts.iteration, [Problem(text=text, hint=_GO_ON)])
    problem = _violence(ended, facts, forced) if ended is not None else None
    if problem is not None:
        return Verdict(Happening.BROKE, facts.iteration, [problem])
    # A log that does not tell max_iter, read before the solver was: 0 is then no goal that was reached.
    if facts.done or (snapshot is not None and 0 < goal <= snapshot):
        if ended is not None or told:
            return Verdict(Happening.COMPLETED, max(at, goal))
        text = f"how caffe ended is not known: its runner is gone. It seems to have reached iteration {goal}"
        hint = "Start goes on from the newest good snapshot, and completes it if that is the last."
        return Verdict(Happening.LOST, max(at, goal), [Problem(text=text, hint=hint)])
    # On a full disk the log lacks caffe's last words.
    stopped = facts.stopped_early or (interrupted and ended is not None)
    # The snapshot of a stop holds at least the iteration that was shown last.
    if stopped and snapshot is not None and snapshot >= facts.iteration:
        return Verdict(Happening.STOPPED, snapshot)
    if facts.untrained and begun is not None and facts.iteration <= begun:
        # caffe leaves no snapshot then, where one is due at that iteration: it takes it for written.
        return Verdict(Happening.STOPPED, begun)
    if facts.stopped_early:
        text = f"caffe stopped at iteration {facts.iteration} and left no snapshot of it"
        hint = "Set snapshot_after_train: true in the solver, and see that the disk has room."
        return Verdict(Happening.BROKE, facts.iteration, [Problem(text=text, hint=hint)])
    if ended is None:
        text = "caffe is gone and nothing tells how it ended"
        hint = (
            "The machine was restarted, or caffe and its runner were killed. Start goes on from the snapshot."
        )
        return Verdict(Happening.LOST, facts.iteration, [Problem(text=text, hint=hint)])
    text = f"caffe ended with exit code 0 at iteration {facts.iteration} of {goal}"
    return Verdict(Happening.BROKE, facts.iteration, [Problem(text=text, hint=SEE_LOG)])


def _violence(ended: Exit, facts: Facts, forced: bool) -> Problem | None:
    """Why it failed, if it did not end by itself and in peace."""
    if ended.exec_error:
        hint = "Choose another caffe for this session, or correct the path of this one."
        return Problem(text=f"caffe could not be started: {ended.exec_error}", hint=hint)
    failed = ended.signal is not None or ended.code != 0
    if failed and facts.error and ended.signal in (None, signal.SIGABRT):
        return explained(facts, "caffe.log")
    if failed and forced:
        # A wrapper may have taken the signal and told it as a code.
        how = f"exit code {ended.code}" if ended.signal is None else _signal_name(ended.signal)
        hint = "What was trained since the last snapshot is lost; start goes on from there."
        return Problem(text=f"caffe was stopped by force ({how})", hint=hint)
    if ended.signal == signal.SIGKILL and ended.oom_kills:
        text = "caffe was killed by SIGKILL: memory ran out"
        hint = "Give it a smaller batch_size, or free memory; start goes on from the newest good snapshot."
        return Problem(text=text, hint=hint)
    if ended.signal is not None:
        name = _signal_name(ended.signal)
        return Problem(text=f"caffe was killed by {name}", hint=decode(name).hint)
    if ended.code != 0:
        return Problem(text=f"caffe ended with exit code {ended.code}", hint=SEE_LOG)
    return None


def explained(facts: Facts, log: str) -> Problem:
    """Why a run failed whose log ``log`` tells it, with the best place there is."""
    reason = facts.reason or decode(facts.error or "")
    line = facts.error_line + 1 if facts.error_line is not None else None
    text = reason.text.strip()
    if reason.kind is Kind.SIGNAL and text.startswith("SIG"):
        text = f"caffe was killed by {text}"
    if reason.layer and reason.layer not in text:
        text = f"{text} (layer '{reason.layer}')"
    if reason.kind in (Kind.SYNTAX, Kind.PYTHON) and reason.file and reason.line:
        return Problem(text=text, file=reason.file, line=reason.line, hint=reason.hint, log_line=line)
    return Problem(text=text, file=log, line=line, hint=reason.hint, log_line=line)


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"
