"""Screens are left once, whoever asks for it and how often."""

from __future__ import annotations

from textual.app import App

from barista_tui.screens.dialog import Dialog


async def test_a_screen_takes_away_itself_and_what_it_has_opened_alone() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        answers: list[str | None] = []
        lower, upper = Dialog[str](), Dialog[str]()
        await app.push_screen(lower, answers.append)
        await app.push_screen(upper, answers.append)
        # Two events may ask before the first is carried out.
        upper.dismiss("once")
        upper.dismiss("twice")
        await pilot.pause()
        assert app.screen is lower and answers == ["once"]
        await app.push_screen(Dialog[str]())
        # As by work that ends while a question of it is still open.
        lower.dismiss("done")
        lower.dismiss("again")
        await pilot.pause()
        assert len(app.screen_stack) == 1 and answers == ["once", "done"]
