"""Every action on every pane, at every size: nothing raises, and escape leads back."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_tui.actions import ACTIONS
from barista_tui.app import BaristaApp
from barista_tui.panes.table import PANES
from barista_tui.target import Target

from .support import NOW, furnish, shown, until

LEAVING = {"quit"}


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_every_action_can_be_done_and_left(size: tuple[int, int], tmp_path: Path) -> None:
    app = BaristaApp(Target(tmp_path / "digits"), connect=False, now=lambda: NOW)
    async with app.run_test(size=size, notifications=True) as pilot:
        await furnish(app, pilot)
        main = app.main
        for place, action in enumerate(ACTIONS):
            if action.id in LEAVING:
                continue
            # Those of one pane there, the others on each in turn.
            main.show_pane(action.pane or PANES[place % len(PANES)].name)
            main.action_do(action.id)
            for _ in range(4):
                if app.screen is main and main.active == "sessions":
                    break
                await pilot.press("escape")
            assert app.screen is main, f"escape does not lead back from {action.id}"
        assert "Barista" in shown(app)


async def test_a_storm_of_sizes_leaves_a_whole_screen(tmp_path: Path) -> None:
    app = BaristaApp(Target(tmp_path / "digits"), connect=False, now=lambda: NOW)
    async with app.run_test(size=(200, 60)) as pilot:
        await furnish(app, pilot)
        for width, height in [(80, 24), (30, 8), (300, 90), (119, 33), (120, 34), (10, 3), (121, 24)] * 3:
            await pilot.resize_terminal(width, height)
        await pilot.resize_terminal(160, 45)
        await until(pilot, lambda: "lenet-adam" in shown(app) and "train loss" in shown(app))
        assert "2 Console" in shown(app) and "Quit" in shown(app)
