"""Take every picture from the running program: a real agent, the real engine, the packaged digits."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import (
    Done,
    GetSession,
    NewSession,
    PauseSession,
    SessionInfo,
    SessionReply,
    StartSession,
    State,
    StopAgent,
)
from barista_tui import settings
from barista_tui.app import BaristaApp
from barista_tui.settings import Settings
from barista_tui.target import Target

FOLDER = Path(__file__).parent
PATIENCE = 300.0
"""Seconds that a training may take to get as far as a picture needs it."""

MISSPELT = 'net: "net.prototxt"\nbase_lr: 0.01\nlr_polcy: "fixed"\nmax_iter: 4000\n'
NET = 'name: "sketch"\nlayer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 } } }\n'


@dataclass(frozen=True)
class Picture:
    """One file: terminal size, keys pressed on the main screen, and what must be on the screen then."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...]
    shows: str


PICTURES = (
    Picture("wide-dark", (160, 45), (), "train loss"),
    Picture("wide-light", (160, 45), ("T", "l"), "train loss"),
    Picture("narrow-list", (80, 24), (), "Running"),
    Picture("narrow-plot", (80, 24), ("1",), "train loss"),
    Picture("narrow-console", (80, 24), ("2",), "loss ="),
    Picture("new-session", (120, 36), ("n",), "lenet digits"),
    Picture("help", (120, 40), ("f1",), "Keys"),
    Picture("palette", (120, 36), ("ctrl+p",), "Session: Pause"),
    Picture("details", (120, 36), ("enter",), "Runs"),
)


async def until(what: str, condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll until the condition holds. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE:.0f} s: {what}")
        await asyncio.sleep(0.2)


async def train(link: Link, session: SessionInfo, iterations: int) -> None:
    """Start a session and wait until it has come so far."""
    await link.call(StartSession(session=session.id), SessionReply)

    async def far_enough() -> bool:
        now = (await link.call(GetSession(session=session.id), SessionReply)).session
        if now.state in (State.FAILED, State.INVALID):
            raise RuntimeError(f"{now.name}: {now.problems}")
        return now.iteration >= iterations or now.state is State.FINISHED

    await until(f"{session.name} at iteration {iterations}", far_enough)


async def pause(link: Link, session: SessionInfo) -> None:
    """Pause and wait until it is."""
    await link.call(PauseSession(session=session.id), SessionReply)

    async def rests() -> bool:
        now = (await link.call(GetSession(session=session.id), SessionReply)).session
        return now.state not in (State.RUNNING, State.PAUSING)

    await until(f"{session.name} paused", rests)


async def furnish(link: Link) -> SessionInfo:
    """Sessions as they come to be in a day's work; the last one is left running."""

    async def new(call: NewSession) -> SessionInfo:
        return (await link.call(call, SessionReply)).session

    await new(NewSession(name="sketch", solver=MISSPELT, net=NET))
    first = await new(NewSession(name="first-try", template="lenet-digits"))
    await train(link, first, 60)
    await pause(link, first)
    await new(NewSession(name="autoencoder", template="autoencoder"))
    shown = await new(NewSession(name="lenet-digits", template="lenet-digits"))
    await train(link, shown, 420)
    return shown


def text_of(app: BaristaApp) -> str:
    """What is on the screen."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in lines)


async def take(root: Path, picture: Picture, select: str) -> None:
    """Open the app, press the keys, wait for the contents, write the file."""
    app = BaristaApp(Target(root), "digits", select)
    async with app.run_test(size=picture.size, notifications=False) as pilot:

        async def ready() -> bool:
            return app.store.known.host("local").alive and app.main.session is not None

        await until("connected", ready)
        await settled(app, pilot, "lenet-digits")
        for key in picture.keys:
            await pilot.press(key)
        await settled(app, pilot, picture.shows)
        (FOLDER / f"{picture.name}.svg").write_text(app.export_screenshot(title="barista"))
    print(f"screenshots/{picture.name}.svg", flush=True)


async def settled(app: BaristaApp, pilot: Pilot[None], text: str) -> None:
    """Wait until the text is there and the picture does not change for a moment."""
    before = ""

    async def still() -> bool:
        nonlocal before
        await pilot.pause(0.3)
        before, now = text_of(app), before
        return text in before and before.count("·\n") == now.count("·\n")

    await until(f"{text!r} on the screen", still)


async def main(names: Sequence[str]) -> int:
    """Take the named pictures, or all. Returns the exit code."""
    chosen = [picture for picture in PICTURES if not names or picture.name in names]
    if not chosen:
        print(f"there are: {', '.join(picture.name for picture in PICTURES)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="barista-") as folder:
        os.environ["TERM"] = "xterm-256color"
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        root = Path(folder, "digits")
        link = await Link.open(root)
        try:
            shown = await furnish(link)
            for picture in chosen:
                # No picture remembers how the one before was looked at.
                os.environ["XDG_CONFIG_HOME"] = str(Path(folder, picture.name))
                settings.save(Settings(hinted=True))
                await take(root, picture, shown.id)
            await link.call(PauseSession(session=shown.id, force="kill"), SessionReply)
        except CallFailed as error:
            print(error.failure.text, file=sys.stderr)
            return 1
        finally:
            await link.call(StopAgent(), Done)
            await link.wait_closed()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
