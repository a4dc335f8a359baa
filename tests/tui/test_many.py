"""Five hundred sessions in the list: all can be reached, and what is done costs what can be seen of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from msgspec import structs

from barista_server.api.messages import SessionInfo, State, Subscribed
from barista_tui.app import BaristaApp
from barista_tui.store import Key, LinkState
from barista_tui.target import Target
from barista_tui.widgets import session_list

from .support import NOW, shown, until

COUNT = 500


def sessions() -> list[SessionInfo]:
    """Each tenth one runs."""
    return [
        SessionInfo(
            id=str(number),
            name=f"sweep-{number:03}",
            state=State.RUNNING if number % 10 == 0 else State.FINISHED,
            folder=f"/data/sessions/{number}",
            created=NOW,
            caffe="embedded",
            iteration=number,
            max_iter=1000,
        )
        for number in range(1, COUNT + 1)
    ]


async def test_five_hundred_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = BaristaApp(Target(tmp_path / "root"), connect=False, now=lambda: NOW)
    drawn: list[str] = []

    def counting(session: SessionInfo, *more: object) -> object:
        drawn.append(session.id)
        return made(session, *more)  # type: ignore[arg-type]

    made = session_list.row
    monkeypatch.setattr(session_list, "row", counting)
    async with app.run_test(size=(80, 24)) as pilot:

        async def drawn_by(*keys: str) -> int:
            drawn.clear()
            await pilot.press(*keys)
            await pilot.pause()
            return len(drawn)

        app.store.subscribed("local", Subscribed(complete=True, sequence=1, sessions=sessions()), "epoch")
        app.store.linked("local", LinkState(state="alive", since=NOW))
        await until(pilot, lambda: "sweep-500" in shown(app))
        height = app.main.list.size.height
        assert height >= 15
        assert await drawn_by("j") <= 4, "the rows that are left and come to"
        assert await drawn_by("G") <= 2 * height and "sweep-001" in shown(app)
        assert await drawn_by("pageup") <= 2 * height
        assert await drawn_by("g") <= 2 * height and app.main.key == Key("local", "500")

        drawn.clear()
        changed = structs.replace(sessions()[489], iteration=777)
        app.store.changed_session("local", changed)
        await until(pilot, lambda: "777" in shown(app))
        assert set(drawn) == {"490"}, "only what has changed is painted"

        began = time.process_time()
        await pilot.press("slash", *"running 49")
        await until(pilot, lambda: "1 of 500" in shown(app))
        assert [one.id for one in app.main.list.model.sessions] == ["490"]
        assert time.process_time() - began < 3.0
        await pilot.press("enter", "escape")
        await until(pilot, lambda: len(app.main.list.model.sessions) == COUNT)
        assert app.main.key == Key("local", "490"), "what was found is still the chosen one"
