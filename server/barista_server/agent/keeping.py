"""Snapshots that go by themselves: a session keeps the newest ones, and the best by a test output.

They go for good, as they are to make room; the newest good one never does, nor one that is not judged yet.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from barista_server.agent.errors import CallError
from barista_server.agent.seen import held
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.session import Session

MOST = 100_000


def calls(find: Callable[[Any], Session]) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
    """The call this module answers."""

    async def keep(call: m.KeepSnapshots, client: Client) -> m.Result:
        session = find(call)
        wanted = call.keep
        if not (0 <= wanted.last <= MOST and 0 <= wanted.best <= MOST):
            raise CallError("invalid", "cannot keep that many snapshots", f"From 0 (all) to {MOST}.")
        if wanted.best and not wanted.by:
            hint = f"Name one: {', '.join(session.facts().tests) or 'as the test net calls it'}."
            raise CallError("invalid", "cannot tell which snapshots are the best without a test output", hint)
        async with held(session, call):
            await _choose(session, wanted if wanted.last or wanted.best else None)
        async with session.looking:
            await thin_out(session)
        await session.look(settled=session.underway is None)
        return m.SessionReply(session=session.info())

    return {m.KeepSnapshots: keep}


async def _choose(session: Session, keep: m.Keep | None) -> None:
    before = session.meta.keep
    if keep == before:
        return
    meta = msgspec.structs.replace(session.meta, keep=keep)
    await session.host.disk(session.folder.save, meta)
    session.meta = meta
    if before is None or keep is None or before.by != keep.by:
        session.scores.clear()
    await session.note("configured", keep=msgspec.to_builtins(keep))
    session.tell(f"keeps {words(keep) if keep else 'all'} of its snapshots")


def remember(session: Session, record: dict[str, Any]) -> None:
    """Take over a score from the journal."""
    keep = session.meta.keep
    if keep is not None and record.get("by") == keep.by and isinstance(record.get("value"), int | float):
        session.scores[str(record.get("model"))] = float(record["value"])


def doomed(good: Sequence[m.Snapshot], keep: m.Keep, scores: Mapping[str, float]) -> list[m.Snapshot]:
    """Those of the good ones, oldest first, that go. ``scores``: by model file. Pure."""
    if not keep.last and not keep.best:
        return []
    stay = {one.model for one in good[-max(1, keep.last) :]}
    if keep.best:
        judged = [one for one in good if not math.isnan(scores.get(one.model, math.nan))]
        # Of equal ones the newest.
        judged.sort(key=lambda one: scores[one.model] if keep.high else -scores[one.model])
        stay.update(one.model for one in judged[-keep.best :])
        stay.update(one.model for one in good if one.model not in scores)
    return [one for one in good if one.model not in stay]


async def thin_out(session: Session) -> bool:
    """Score what can be scored, and remove what goes; whether something did. Raises OSError."""
    keep = session.meta.keep
    if keep is None:
        return False
    if keep.best:
        await _score(session, keep.by)
    gone = doomed(session.shelf.good, keep, session.scores)
    for one in gone:
        await session.host.disk(_remove, session.folder.path, one)
        await session.note("snapshot removed", iteration=one.iteration, model=one.model, size=one.size)
        session.scores.pop(one.model, None)
    if gone:
        names = ", ".join(str(one.iteration) for one in gone)
        session.tell(f"removed, as it keeps {words(keep)}: snapshot {names}")
    return bool(gone)


def words(keep: m.Keep) -> str:
    """``the last 5 and the best 2 by accuracy``."""
    parts = [f"the last {keep.last}"] if keep.last else []
    parts += [f"the {'best' if keep.high else 'lowest'} {keep.best} by {keep.by}"] if keep.best else []
    return " and ".join(parts) or "all"


def _remove(folder: Path, snapshot: m.Snapshot) -> None:
    """The state first: a model alone can still be used, a state alone is of no use."""
    for name in (snapshot.state, snapshot.model):
        (folder / name).unlink(missing_ok=True)


async def _score(session: Session, by: str) -> None:
    """Of each snapshot of the newest run the test at its iteration, else the one before; written down, as
    logs of earlier runs are not parsed any more. A test comes after the snapshot of its iteration, so that
    the newest one has to wait while it trains.
    """
    run = session.last
    if run is None:
        return
    part = run.part
    keys = [key for key in part.parser.series if key.phase == "test" and key.name == by]
    if not keys:
        return
    points = part.points(keys[0])
    waiting = session.shelf.good[-1:] if session.underway is not None else []
    for one in session.shelf.good:
        if one.model in session.scores or one in waiting or not len(points.iteration):
            continue
        if one.iteration < int(points.iteration[0]):
            continue  # of an earlier run
        place = int(points.iteration.searchsorted(one.iteration, "right")) - 1
        value = float(points.value[place])
        session.scores[one.model] = value
        await session.note("snapshot scored", model=one.model, by=by, value=value)
