"""Which snapshots stay by themselves, by the rule alone and in a real agent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.agent.keeping import doomed
from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    Keep,
    KeepSnapshots,
    NewSession,
    SessionReply,
    Snapshot,
    StartSession,
    State,
)

from .agents import NET, Root, Watcher, solver


def shelf(count: int) -> list[Snapshot]:
    """Snapshots, oldest first."""
    return [
        Snapshot(iteration=10 * at, model=f"m{at}", state=f"s{at}", size=1, time=float(at))
        for at in range(count)
    ]


_SCORES = st.dictionaries(st.integers(0, 12).map(lambda number: f"m{number}"), st.floats(width=32))


@given(st.integers(0, 12), st.integers(0, 5), st.integers(0, 5), _SCORES, st.booleans())
def test_what_goes(count: int, last: int, best: int, scores: dict[str, float], high: bool) -> None:
    good, keep = shelf(count), Keep(last, best, "accuracy", high)
    gone = {one.model for one in doomed(good, keep, scores)}
    stay = [one for one in good if one.model not in gone]
    assert not gone or stay[-1] == good[-1], "the newest always stays"
    assert doomed(stay, keep, scores) == [], "once is enough"
    assert set(good[len(good) - last :]) <= set(stay)
    if not last and not best:
        assert not gone
    if best:
        assert {one for one in good if one.model not in scores} <= set(stay), "none goes that is not judged"
        judged = [scores[one.model] for one in good if not math.isnan(scores.get(one.model, math.nan))]
        kept = [scores[one.model] for one in stay if not math.isnan(scores.get(one.model, math.nan))]
        if judged:
            assert (max if high else min)(judged) == (max if high else min)(kept)
    elif last:
        assert len(stay) == min(count, last)


async def test_a_session_keeps_the_last_and_the_best(root: Root) -> None:
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    extra = "snapshot: 20\ntest_interval: 20\n"
    text = solver(max_iter=120, display=10, extra=extra, speed=150)
    made = await watcher.link.call(NewSession(solver=text, net=NET, caffe="scripted"), SessionReply)
    call = KeepSnapshots(session=made.session.id, keep=Keep(last=2, best=1, by="accuracy", high=False))
    kept = await watcher.link.call(call, SessionReply)
    assert kept.session.keep == call.keep
    await watcher.link.call(StartSession(session="1"), SessionReply)
    await watcher.state(State.FINISHED)
    # The accuracy rises: the lowest one is the first.
    assert files(root) == [20, 100, 120]
    removed = [one["iteration"] for one in root.journal() if one["kind"] == "snapshot removed"]
    assert removed == [40, 60, 80]
    assert any("keeps the last 2 and the lowest 1 by accuracy" in text for text in watcher.notices)
    # A new agent knows the scores, though it parsed no log.
    await root.kill_agent(watcher.link)
    link = await root.link()
    fewer = await link.call(KeepSnapshots(session="1", keep=Keep(1, 1, "accuracy", False)), SessionReply)
    assert [one.iteration for one in fewer.session.snapshots] == [20, 120] == files(root)
    with pytest.raises(CallFailed, match="without a test output") as caught:
        await link.call(KeepSnapshots(session="1", keep=Keep(best=1)), SessionReply)
    assert "accuracy" in str(caught.value.failure.hint)
    every = await link.call(KeepSnapshots(session="1", keep=Keep()), SessionReply)
    assert every.session.keep is None and files(root) == [20, 120]


def files(root: Root) -> list[int]:
    """Iterations of which both files are there."""
    found = sorted(int(path.stem.rpartition("_")[2]) for path in root.session().glob("*.caffemodel"))
    assert found == sorted(int(path.stem.rpartition("_")[2]) for path in root.session().glob("*.solverstate"))
    return found
