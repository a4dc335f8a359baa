"""Work that is done beside the screen, on the same loop: Textual's workers, each begun in one way."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.dom import DOMNode
from textual.worker import Worker

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp

Deed = Callable[[], Coroutine[Any, Any, None]]
"""Work that has not begun. Not a coroutine: of work that is replaced or left before its task had a turn, one
would be left over that nobody awaits."""


def begin(node: DOMNode, deed: Deed, group: str = "default", *, newest: bool = False) -> Worker[None]:
    """Run it until it ends or its screen does; ``newest``: in place of what the group still does.

    An error that nobody foresaw does not end the program, it is said; not of a screen that is being left.
    """
    app = cast("BaristaApp", node.app)
    work = partial(_guarded, app, node, deed, group if group != "default" else type(node).__name__)
    return node.run_worker(work, group=group, exclusive=newest, exit_on_error=False)


async def _guarded(app: BaristaApp, node: DOMNode, deed: Deed, what: str) -> None:
    try:
        await deed()
    except Exception as error:
        if node is app or (node.is_attached and node in app.screen_stack):
            app.main.fail(f"A mistake of this program, in {what}: {error!r}")
        raise
