"""Take every picture from the running program: a real agent, the real engine, the packaged digits."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import Done, PauseSession, SessionReply, StopAgent
from barista_tui import settings
from barista_tui.app import BaristaApp
from barista_tui.settings import Settings
from barista_tui.target import Target
from screenshots.world import HOSTS, furnish, until

FOLDER = Path(__file__).parent
PATIENCE = 30.0
"""Seconds until the screen shows what a picture is of."""


@dataclass(frozen=True)
class Picture:
    """One file: terminal size, keys pressed on the main screen, what must be on the screen then, and what
    must have gone from it.
    """

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...]
    """Those that begin with ``=`` are a text to be waited for."""
    shows: str
    without: str = "\x00"


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
    Picture("plot", (120, 36), ("t", "t", "home", "1"), "finer"),
    Picture("console", (120, 36), ("2", "=loss", "slash", *"accuracy", "enter"), "accuracy"),
    Picture("network", (120, 40), ("3",), "ip2"),
    Picture("layer", (120, 40), ("3", "=ip2", "down", "enter"), "num_output"),
    Picture("solver", (120, 40), ("4",), "base_lr"),
    Picture("weights", (120, 40), ("5",), "conv1"),
    Picture("snapshots", (120, 30), ("6",), "MB"),
    Picture("diff", (120, 36), ("down", "V"), "finer"),
    Picture("compare", (140, 36), ("t", "t", "S"), "best test"),
    Picture("tree", (120, 24), ("Y",), "finer"),
    Picture("clone", (120, 36), ("c",), "Clone"),
    Picture("deploy", (120, 36), ("D",), "batch"),
    Picture("settings", (120, 36), ("P",), "device"),
    Picture("inputs", (120, 40), ("f2",), "▀", "looking"),
    Picture("caffes", (120, 36), ("ctrl+p", *"caffe builds", "enter"), "barista-caffe", "tried …"),
    Picture("hosts", (140, 36), ("f3",), "lab", "not tried"),
    Picture("menu", (120, 30), ("f10",), "Snapshot"),
)
ALL_HOSTS = ("hosts",)
"""Pictures that show other hosts too."""


def text_of(app: BaristaApp) -> str:
    """What is on the screen."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in lines)


async def take(root: Path, picture: Picture, select: str) -> None:
    """Open the app, press the keys, wait for the contents, write the file."""
    others = [Target(root, entry) for entry in HOSTS] if picture.name in ALL_HOSTS else None
    app = BaristaApp(Target(root), "digits", select, others=others)
    async with app.run_test(size=picture.size, notifications=False) as pilot:

        async def ready() -> bool:
            return app.store.known.host("local").alive and app.main.session is not None

        await until("connected", ready)
        await settled(app, pilot, "lenet-digits")
        for key in picture.keys:
            if key.startswith("="):
                await settled(app, pilot, key[1:])
            else:
                await pilot.press(key)
                await pilot.pause(0.2)
        await settled(app, pilot, picture.shows, picture.without)
        # Where the program lies here is of no interest.
        drawn = app.export_screenshot(title="barista").replace(str(FOLDER.parent), "/opt/barista")
        (FOLDER / f"{picture.name}.svg").write_text(drawn)
    print(f"screenshots/{picture.name}.svg", flush=True)


async def settled(app: BaristaApp, pilot: Pilot[None], text: str, without: str = "\x00") -> None:
    """Wait until the text is there, the other one is not, and the picture does not change for a moment."""
    before = ""

    async def still() -> bool:
        nonlocal before
        await pilot.pause(0.3)
        before, now = text_of(app), before
        return text in before and without not in before and before.count("·\n") == now.count("·\n")

    try:
        await until(f"{text!r} on the screen", still, PATIENCE)
    except TimeoutError:
        print(before, file=sys.stderr)
        raise


async def main(names: Sequence[str]) -> int:
    """Take the named pictures, or all. Returns the exit code."""
    chosen = [picture for picture in PICTURES if not names or picture.name in names]
    if not chosen:
        print(f"there are: {', '.join(picture.name for picture in PICTURES)}", file=sys.stderr)
        return 2
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="barista-") as folder:
        os.environ["TERM"] = "xterm-256color"
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        os.chdir(folder)
        root = Path(folder, "digits")
        link = await Link.open(root)
        try:
            shown = await furnish(link, root)
            for picture in chosen:
                # No picture remembers how the one before was looked at.
                os.environ["XDG_CONFIG_HOME"] = str(Path(folder, picture.name))
                settings.save(Settings(hinted=True))
                try:
                    await take(root, picture, shown.id)
                except TimeoutError as error:
                    missed.append(f"{picture.name}: {error}")
            await link.call(PauseSession(session=shown.id, force="kill"), SessionReply)
        except CallFailed as error:
            print(error.failure.text, file=sys.stderr)
            return 1
        finally:
            await link.call(StopAgent(), Done)
            await link.wait_closed()
    print("\n".join(missed), file=sys.stderr, end="")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
