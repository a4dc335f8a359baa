"""The plot as a file: CSV of just the curves that are shown, or a picture of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from barista_server.api.link import CallFailed, LinkError
from barista_tui import export, feeds, theme, workers
from barista_tui import format as fmt
from barista_tui.plotting.curves import Curve
from barista_tui.plotting.figure import Paper, figure
from barista_tui.plotting.sources import Source, curves_of
from barista_tui.plotting.svg import svg
from barista_tui.screens.choose import Answer, ChooseScreen
from barista_tui.screens.prompt import PromptScreen

if TYPE_CHECKING:
    from barista_tui.panes.plot import PlotPane

BUCKETS = 2000
"""Of a picture, which is finer than a terminal."""
PNG_SCALE = 2

_ANSWERS = (
    Answer("csv", "CSV, ; separated", "a table for each session and phase"),
    Answer("rfc", "CSV, RFC 4180", "one table with commas"),
    Answer("svg", "SVG", "a drawing that can be scaled"),
    Answer("png", "PNG", "a picture"),
)


def ask_how(pane: PlotPane) -> None:
    """Ask for a format, then for a path that begins with a good one; an older file is not overwritten."""
    shown = [each for each in pane.plot.curves if not each.off]
    answers = list(_ANSWERS)
    if pane.plot.zoomed:
        answers[1:2] = [
            answers[1],
            Answer("csv-part", "CSV, ;, only what is visible", "the rows within the x axis"),
            Answer("rfc-part", "CSV, RFC 4180, only what is visible"),
        ]
    sessions = len({each.name.session for each in shown})
    title = f"Export {fmt.plural(len(shown), 'curve')} of {fmt.plural(sessions, 'session')} as"

    def chosen(format_: str | None) -> None:
        if format_ is not None:
            ending = {"svg": "svg", "png": "png"}.get(format_, "csv")
            path = f"{_file_name(pane, shown)}.{ending}"
            pane.app.push_screen(PromptScreen("Write to", path), lambda text: written(format_, text))

    def written(format_: str, text: str | None) -> None:
        if text:
            path = Path(text).expanduser().absolute()
            save = _Saving(pane, shown, path)
            workers.begin(pane.main, partial(save.run, format_), "plot export")

    pane.app.push_screen(ChooseScreen(title, answers), chosen)


def _file_name(pane: PlotPane, shown: Sequence[Curve]) -> str:
    titles = list(dict.fromkeys(each.title for each in shown))
    project = pane.app.project
    name = titles[0] if len(titles) == 1 else project.stem if project is not None else "plot"
    return re.sub(r"[^\w.=-]+", "_", name)


class _Saving:
    """Fetches what the file is to have, with a line in the tray, and writes it."""

    def __init__(self, pane: PlotPane, shown: Sequence[Curve], path: Path) -> None:
        self._pane = pane
        self._shown = shown
        self._path = path

    async def run(self, format_: str) -> None:
        main, path = self._pane.main, self._path
        if path.exists():
            main.say(f"{path} is there already: give another name", "error")
            return
        task = asyncio.current_task()

        def cancel() -> None:
            if task is not None:
                task.cancel()

        work = self._pane.app.works.begin(f"exporting {path.name}", len(self._shown), "things", cancel)
        self._done = work.advance
        try:
            if format_ in ("svg", "png"):
                data = await self._picture(format_)
                about = "a picture"
            else:
                data, about = await self._csv(format_)
            await asyncio.to_thread(self._write, data)
        except (CallFailed, LinkError) as error:
            main.say(f"{path.name} was not written: {error}", "error")
        except OSError as error:
            main.say(f"{path} was not written: {error.strerror or error}", "error")
        else:
            main.say(f"Written: {path}, {about}", "information")
        finally:
            work.end()

    def _write(self, data: bytes) -> None:
        with self._path.open("xb") as file:
            file.write(data)

    async def _csv(self, format_: str) -> tuple[bytes, str]:
        view, sources = self._pane.plot.view, self._pane.plot.sources
        titles = [source.title for source in sources.values()]
        within = export.Range(view.axis, view.x0, view.x1) if format_.endswith("-part") else None
        made: list[export.Table] = []
        done = 0
        for key, source in sources.items():
            keys = [each.key for each in self._shown if each.name.session == key]
            title = source.title if titles.count(source.title) == 1 else f"{source.title}@{key.host}"
            host = self._pane.app.fleet.of(key)
            before = done

            def told(count: int, before: int = before) -> None:
                self._done(before + count)

            if keys:
                made += await feeds.tables(host, key.session, title, keys, within, told)
                done += len(keys)
        text = export.rfc4180(made) if format_.startswith("rfc") else export.plain(made)
        return text.encode(), fmt.plural(sum(len(table.rows) for table in made), "row")

    async def _picture(self, format_: str) -> bytes:
        pane, plot = self._pane, self._pane.plot
        ask = replace(plot.ask, buckets=BUCKETS)
        finer: list[Source] = []
        for key, source in plot.sources.items():
            host = pane.app.fleet.of(key)
            answer = await feeds.curves(host, key.session, ask, plot.choice, source.known, pane.began(key))
            finer.append(Source(key, source.title, source.known))
            finer[-1].take(answer.window)
        curves = curves_of(finer, plot.view, plot.choice, plot.slots)
        title = ", ".join(dict.fromkeys(each.title for each in self._shown))
        look = "colour-blind-light" if "colour-blind" in pane.app.look else "light"
        paper = Paper(curves=theme.palette_of(theme.theme_name(look)).curves)
        drawn = figure(curves, plot.view, title, paper=paper)
        if format_ == "svg":
            return svg(drawn).encode()
        # numpy is slow to load, and drawing takes a second.
        from barista_tui.plotting import raster

        return await asyncio.to_thread(raster.write, drawn, PNG_SCALE)
