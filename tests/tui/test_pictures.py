"""Pictures of a fixed world: what a person sees must not change unnoticed (``--snapshot-update``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from barista_tui.app import BaristaApp
from barista_tui.screens.confirm import Choice, ConfirmScreen
from barista_tui.target import Target

from .support import NOW, furnish, until

Compare = Callable[..., bool]


def app_of(tmp_path: Path) -> BaristaApp:
    return BaristaApp(Target(tmp_path / "digits"), "digits", connect=False, now=lambda: NOW)


@pytest.mark.parametrize(
    ("name", "size", "keys"),
    [
        ("wide-dark", (200, 60), ()),
        ("wide-light", (200, 60), ("l",)),
        ("narrow-list", (80, 24), ()),
        ("narrow-plot", (80, 24), ("1", "l")),
        ("narrow-console-light", (80, 24), ("2",)),
        ("notices", (120, 36), ("v",)),
        ("details-of-an-invalid-session", (100, 30), ("end", "enter")),
        ("filter", (80, 24), ("slash", "l", "e", "n")),
    ],
)
@pytest.mark.usefixtures("utc")
def test_picture(
    name: str, size: tuple[int, int], keys: tuple[str, ...], tmp_path: Path, snap_compare: Compare
) -> None:
    app = app_of(tmp_path)

    async def before(pilot: Pilot[None]) -> None:
        await furnish(app, pilot)
        if "light" in name:
            app.wear("light")
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        app.screen.set_focus(None) if name == "filter" else None

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.usefixtures("utc")
def test_picture_of_a_question(tmp_path: Path, snap_compare: Compare) -> None:
    app = app_of(tmp_path)

    async def before(pilot: Pilot[None]) -> None:
        await furnish(app, pilot)
        choices = (Choice("", "Keep waiting"), Choice("kill", "Kill (KILL)", "error"))
        app.push_screen(ConfirmScreen("Force lenet to stop?", ("210 iterations are lost.",), choices))
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)
