"""Every key on every screen, at every size: nothing raises, and escape leads back."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_server.api.messages import State
from barista_tui.actions import ACTIONS
from barista_tui.app import BaristaApp
from barista_tui.panes.table import PANES
from barista_tui.target import Target

from .crawler import Crawler
from .support import NOW, furnish, made, opened, shown, solver, state_of, until


async def test_every_key_of_every_screen_can_be_pressed_and_left(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them on a small terminal, on a large one those of the main screen and what they open."""
    # Some of them write a file where the program was started.
    monkeypatch.chdir(tmp_path)
    await made(root, "trained", text=solver(max_iter=200, display=20, speed=2000, extra="snapshot: 100\n"))
    await made(root, "waiting", start=False)
    async with opened(root, (80, 24), toasts=False) as (app, pilot):
        await until(pilot, lambda: state_of(app, "trained") is State.FINISHED)
        await crawled(Crawler(app, pilot))
        await pilot.resize_terminal(120, 36)
        await crawled(Crawler(app, pilot, deep=False))
        assert "Barista" in shown(app)


async def crawled(crawler: Crawler) -> None:
    """On each pane; all actions of the table were among it."""
    for spec in PANES:
        crawler.app.main.want("trained")
        await crawler.main(spec.name)
        for _ in range(4):
            if crawler.app.main.active == "sessions":
                break
            await crawler.press("escape")
        assert crawler.app.main.active == "sessions", f"escape does not lead back from {spec.name}"
    bound = {action for _, _, action in crawler.pressed}
    left = {one.id for one in ACTIONS if one.keys and f"do('{one.id}')" not in bound}
    assert left == {"quit", "back", "palette"}


async def test_a_storm_of_sizes_leaves_a_whole_screen(tmp_path: Path) -> None:
    app = BaristaApp(Target(tmp_path / "digits"), connect=False, now=lambda: NOW)
    async with app.run_test(size=(200, 60)) as pilot:
        await furnish(app, pilot)
        for width, height in [(80, 24), (30, 8), (250, 80), (119, 33), (120, 34), (10, 3), (121, 24)]:
            await pilot.resize_terminal(width, height)
        await pilot.resize_terminal(160, 45)
        await until(pilot, lambda: "lenet-adam" in shown(app) and "train loss" in shown(app))
        assert "2 Console" in shown(app) and "Quit" in shown(app)
