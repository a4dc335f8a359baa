"""The lines of the console as a file: all of them, or those that match."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import MOST_LINES
from barista_tui import format as fmt
from barista_tui import workers
from barista_tui.lines import Window
from barista_tui.screens.prompt import PromptScreen

if TYPE_CHECKING:
    from barista_tui.panes.console import ConsolePane


def ask_where(pane: ConsolePane, name: str, what: str) -> None:
    """Ask for a path, beginning with a good one; an older file is not overwritten."""

    def answered(text: str | None) -> None:
        if text:
            save = Saving(pane, Path(text).expanduser())
            workers.begin(pane.main, save.run, "save")

    suggestion = re.sub(r"[^\w.=-]+", "_", name) + ".log"
    pane.app.push_screen(PromptScreen(f"Save {what} as", suggestion), answered)


class Saving:
    """Writes beside the file and renames it once it is whole."""

    def __init__(self, pane: ConsolePane, path: Path) -> None:
        self._pane = pane
        self._path = path
        self._source = pane.console.source
        self._rows = [row.whole for row in pane.rows] if self._source is None else []
        self._cancelled = False

    async def run(self) -> None:
        """Say what came of it."""
        pane, path = self._pane, self._path
        part = path.with_name(path.name + ".part")
        total = pane.console.total
        work = pane.app.works.begin(f"saving {path.name}", total=total, unit="things", cancel=self._cancel)
        count = 0
        try:
            if await asyncio.to_thread(path.exists):
                raise FileExistsError(0, "it is there already, give another name")
            with await asyncio.to_thread(part.open, "w", encoding="utf-8", newline="\n") as file:
                async for lines in self._lines():
                    if self._cancelled:
                        break
                    await asyncio.to_thread(file.write, "".join(f"{line}\n" for line in lines))
                    count += len(lines)
                    work.advance(count, max(total, count))
            await asyncio.to_thread(part.unlink if self._cancelled else lambda: part.replace(path))
        except (OSError, CallFailed, LinkError) as error:
            await asyncio.to_thread(_forget, part)
            reason = error.strerror if isinstance(error, OSError) else str(error)
            pane.main.fail(f"{path} was not written: {reason or error}")
        else:
            said = f"Saved: {path.absolute()}, {fmt.plural(count, 'line')}"
            pane.main.say(f"{path.name} was not saved" if self._cancelled else said, "information")
        finally:
            work.end()

    def _cancel(self) -> None:
        self._cancelled = True

    async def _lines(self) -> AsyncIterator[list[str]]:
        if self._source is None:
            yield self._rows
            return
        at = 0
        while True:
            reply = await self._pane.lines_of(self._source, Window(at, MOST_LINES))
            if not reply.lines:
                return
            yield [line.text for line in reply.lines]
            at = reply.start + len(reply.lines)


def _forget(part: Path) -> None:
    with contextlib.suppress(OSError):
        part.unlink()
