"""The picture of the Weights pane as a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from barista_tui.pictures import enlarged, write_png
from barista_tui.screens.prompt import PromptScreen

if TYPE_CHECKING:
    from barista_tui.panes.weightdraw import Drawn
    from barista_tui.screens.main import MainScreen


def ask_where(main: MainScreen, session: str, drawn: Drawn) -> None:
    """Ask for a path, beginning with a good one, and write there; an older file is not overwritten."""
    layer = drawn.title.partition(" ")[0]
    name = re.sub(r"[^\w.=-]+", "_", f"{session}-{layer}-{drawn.snapshot.iteration}") + ".png"

    def answered(text: str | None) -> None:
        if not text:
            return
        path = Path(text).expanduser()
        try:
            height, width = write_png(path, enlarged(drawn.image), new=True)
        except OSError as error:
            reason = "it is there already, give another name" if path.exists() else error.strerror
            main.say(f"{path} was not written: {reason}", "error")
        else:
            main.say(f"Written: {path.absolute()}, {width} x {height} pixels", "information")

    main.app.push_screen(PromptScreen("Save the picture as PNG", name), answered)
