"""Logs of others on the screen, through a real agent."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from textual.widgets import Input

from barista_server.api.link import Link
from barista_server.api.messages import ImportLog, SessionReply, State
from barista_tui.screens.details import DetailsScreen
from barista_tui.screens.import_log import ImportScreen
from barista_tui.screens.main import MainScreen
from barista_tui.store import Key

from ..log.log_results import FIXTURES
from .support import opened, shown, state_of, until


def line(text: str) -> str:
    return time.strftime("I%Y%m%d %H:%M:%S.000001 4711 solver.cpp:1] ") + text + "\n"


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    path = tmp_path / "exp7" / "train.log"
    path.parent.mkdir()
    shutil.copy(FIXTURES / "bvlc1.0-typo.log", path)
    return path


async def take(root: Path, path: Path) -> None:
    link = await Link.open(root)
    await link.call(ImportLog(path=str(path)), SessionReply)
    await link.close()


async def test_a_log_is_imported_where_wrong_paths_are_mended(root: Path, failed: Path) -> None:
    async with opened(root, (80, 24)) as (app, pilot):
        await until(pilot, lambda: "a log of any caffe that lies here" in shown(app))
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, ImportScreen))
        field = app.screen.query_one("#path", Input)
        field.value = str(failed.parent)
        await pilot.press("enter")
        await until(pilot, lambda: "it is a folder" in shown(app))
        # The rest of the path is offered, and taken by the arrow.
        field.value = f"{failed.parent}/tr"
        field.cursor_position = len(field.value)
        await until(pilot, lambda: field._suggestion == str(failed))
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        await until(pilot, lambda: state_of(app, "exp7/train") is State.FAILED)
        await until(pilot, lambda: "≡ exp7/train" in shown(app) and "✖ Failed" in shown(app))
        assert app.main.session is not None and app.main.session.name == "exp7/train"


async def test_its_failure_is_explained_and_its_line_found(root: Path, failed: Path) -> None:
    await take(root, failed)
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "exp7/train") is State.FAILED)
        await until(pilot, lambda: "38 lines" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: app.main.console.cursor == 22)
        await until(pilot, lambda: "Error parsing text-format caffe.NetParameter" in shown(app))
        await pilot.press("1", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        words = shown(app)
        assert "typo_net.prototxt:82" in words and "Correct the name of the field" in words
        assert "run 1  2026-11-23" in words and "failed  38 lines" in words
        await pilot.press("escape")
        await pilot.press("space")
        await until(pilot, lambda: "an imported log: only watched" in shown(app))


async def test_what_grows_is_seen_to_grow_and_delete_leaves_it(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "live.log"
    path.write_text(line("Use CPU.") + line("Iteration 0, loss = 2"))
    await take(root, path)
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "live") is State.RUNNING)
        for iteration in (10, 20):
            with path.open("a") as log:
                log.write(line(f"Iteration {iteration}, loss = 1.5"))
            await until(pilot, lambda at=iteration: f"Iteration {at}, loss" in shown(app))
        await until(
            pilot, lambda: app.main.plot.session == Key("local", "1") and "train loss 1.5" in shown(app)
        )
        before = path.read_bytes()
        await pilot.press("d")
        await until(pilot, lambda: "is off the list; the log stays" in shown(app))
        assert not app.store.known.sessions and path.read_bytes() == before
        await pilot.press("u")
        await until(pilot, lambda: state_of(app, "live") is State.RUNNING)
        path.rename(tmp_path / "away.log")
        await until(pilot, lambda: "is not there" in shown(app))
