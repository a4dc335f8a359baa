"""How long a disk has room for snapshots, and how that is said."""

from __future__ import annotations

from barista_server.api.messages import Keep, Snapshot
from barista_tui.runway import Runway, guess_high, is_short, keep_words, runway, runway_words


def taken(*times: float) -> list[Snapshot]:
    return [Snapshot(iteration=at, model=f"m{at}", state=f"s{at}", size=100, time=time)
            for at, time in enumerate(times)]  # fmt: skip


def test_the_pace_of_late_counts() -> None:
    assert runway([], None, 10_000, True) is None
    assert runway(taken(0), None, 10_000, True) == Runway(100), "one tells no pace"
    found = runway(taken(0, 60, 120, 180, 4000), None, 1050, True)
    assert found == Runway(10, 600.0), "a pause between two is no pace"
    assert runway(taken(0, 60), None, 1050, False) == Runway(10), "nothing comes while it does not train"
    assert runway_words(found) == "room for 10 more: 10:00" and is_short(found)
    assert not is_short(Runway(5000, 7 * 86400.0)) and is_short(Runway(2))


def test_what_does_not_grow_needs_no_more_room() -> None:
    keep = Keep(last=3, best=1, by="accuracy")
    assert runway(taken(0, 60, 120, 180, 240, 300), keep, 50, True) == Runway(0, enough=True)
    assert runway(taken(0, 60), keep, 50, True) == Runway(0, 0.0), "it has not grown to that yet"
    assert runway_words(Runway(0, enough=True)) == "the disk has room for these"
    assert not is_short(Runway(0, enough=True))
    assert keep_words(keep) == "keeps the last 3 and the best 1 by accuracy" and keep_words(None) == ""
    assert guess_high("accuracy") and not guess_high("loss3/Top_Error")
