"""What a run came to, from what is left of it: exit.json, log, snapshots. Pure."""

from __future__ import annotations

import re
import signal

import msgspec

from barista_server.agent.parts import Facts
from barista_server.agent.states import Happening
from barista_server.agent.store import Exit
from barista_server.api.messages import Problem

HINTS: list[tuple[str, str]] = [
    (r"out of memory", "Halve batch_size and double iter_size, or choose another device."),
    (r"no kernel image", "This caffe was not built for this GPU: choose another caffe or device."),
    (r"Cannot use GPU in CPU-only", "Choose the device cpu, or a caffe that was built for GPUs."),
    (r"Multi-GPU execution not available", "Choose one GPU, or a caffe that was built with NCCL."),
    (r"File not found", "Correct the path in the prototxt; relative paths start in the session's folder."),
    (r"mdb_status == 0 \(13", "The database cannot be opened: check who may read and write its folder."),
    (r"mdb_status == 0", "The database is not there: correct source, or convert the data again."),
    (r"Failed to open leveldb", "LevelDB is the default backend: for LMDB write backend: LMDB."),
    (r"Cannot write to snapshot prefix", "Create the folder of snapshot_prefix, or make it writable."),
    (r"SerializeToOstream|No space left", "The disk is full or the folder is gone: make room, then start."),
    (r"Incorrect length of history", "The net has changed since: start a clone with these weights instead."),
    (r"Cannot copy param|shape mismatch", "Rename the layer to learn it anew, or undo its change of shape."),
    (r"Unknown layer type", "Correct the type, or choose a caffe that has this layer."),
    (r"Unknown bottom blob", "Correct the bottom: no layer before this one has it as top."),
    (r"Unknown learning rate policy", "Correct lr_policy: fixed, step, exp, inv, multistep, poly, sigmoid."),
    (r"Number of labels must match", "Check the axes of prediction and label."),
    (r"Failed to parse", "Correct the prototxt; the line before this one in the log names the place."),
]
_SEE_LOG = "The log's last lines tell more."
_KILLED = {
    signal.SIGKILL: "Nobody but the system kills without a word: out of memory is the usual reason.",
    signal.SIGTERM: "Somebody ended it from outside; start goes on from the newest snapshot.",
    signal.SIGSEGV: "caffe itself crashed: the log may say where.",
    signal.SIGHUP: "It was told to take a snapshot before it could: start it again.",
    signal.SIGBUS: "Usually a full disk or a truncated database behind a memory map.",
}


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
    forced: bool = False,
    interrupted: bool = False,
) -> Verdict:
    """``snapshot``: iteration of the newest verified snapshot this run wrote. ``ended`` None: caffe vanished.

    ``forced``: a person had it killed. ``interrupted``: SIGINT was sent.
    """
    goal = facts.max_iter if facts.max_iter is not None else max_iter
    at = max(facts.iteration, snapshot or 0)
    problem = _violence(ended, facts, forced) if ended is not None else None
    if problem is not None:
        return Verdict(Happening.BROKE, facts.iteration, [problem])
    if facts.done or (snapshot is not None and snapshot >= goal):
        return Verdict(Happening.COMPLETED, max(at, goal))
    # On a full disk the log lacks caffe's last words.
    stopped = facts.stopped_early or (interrupted and ended is not None)
    # The snapshot of a stop holds at least the iteration that was shown last.
    if stopped and snapshot is not None and snapshot >= facts.iteration:
        return Verdict(Happening.STOPPED, snapshot)
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
    return Verdict(Happening.BROKE, facts.iteration, [Problem(text=text, hint=_SEE_LOG)])


def _violence(ended: Exit, facts: Facts, forced: bool) -> Problem | None:
    """Why it failed, if it did not end by itself and in peace."""
    if ended.exec_error:
        hint = "Choose another caffe for this session, or correct the path of this one."
        return Problem(text=f"caffe could not be started: {ended.exec_error}", hint=hint)
    failed = ended.signal is not None or ended.code != 0
    if failed and facts.error and ended.signal in (None, signal.SIGABRT):
        line = facts.error_line + 1 if facts.error_line is not None else None
        return Problem(text=facts.error, file="caffe.log", line=line, hint=hint_for(facts.error))
    if failed and forced:
        # A wrapper may have taken the signal and told it as a code.
        how = f"exit code {ended.code}" if ended.signal is None else _signal_name(ended.signal)
        hint = "What was trained since the last snapshot is lost; start goes on from there."
        return Problem(text=f"caffe was stopped by force ({how})", hint=hint)
    if ended.signal is not None:
        name = _signal_name(ended.signal)
        known = _KILLED.get(signal.Signals(ended.signal)) if name.startswith("SIG") else None
        return Problem(text=f"caffe was killed by {name}", hint=known or _SEE_LOG)
    if ended.code != 0:
        return Problem(text=f"caffe ended with exit code {ended.code}", hint=_SEE_LOG)
    return None


def hint_for(text: str) -> str:
    """What to do about the text of an F line."""
    return next((hint for pattern, hint in HINTS if re.search(pattern, text)), _SEE_LOG)


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"
