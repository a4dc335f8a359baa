"""Work beside the screen."""

from __future__ import annotations

import gc
from functools import partial

from textual.app import App

from barista_tui import workers


async def test_work_that_is_replaced_before_its_turn_leaves_nothing_over() -> None:
    """Coroutines that nobody awaits are told by a warning, which is an error in tests (pyproject.toml)."""
    done: list[int] = []

    async def work(number: int) -> None:
        done.append(number)

    app: App[None] = App()
    async with app.run_test():
        for number in range(3):
            last = workers.begin(app, partial(work, number), "some", newest=True)
        await last.wait()
    gc.collect()
    assert done == [2]
