"""How a person last looked at things: theme, plot, filter, order. Kept between starts, of no other worth."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal

import msgspec

from barista_tui.frame import Shares
from barista_tui.hosts import folder

MAX_SIZE = 65536


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """``log``, ``log_right``, ``log_x``, ``axis``, ``smooth``: the plot's;
    ``kinds``, ``caller``: the console's filters;
    ``sort``, ``grouped``, ``folded`` (hosts): the list's;
    ``list_share``, ``dock_share``, ``tab``: the panes'."""

    theme: str = "dark"
    log: bool = False
    log_right: bool = False
    log_x: bool = False
    axis: Literal["iteration", "time", "clock"] = "iteration"
    smooth: int = 0
    shown: list[str] = []
    """Metrics with curves beyond the usual ones, as ``train.lr``."""
    not_shown: list[str] = []
    """Metrics without."""
    swapped: list[str] = []
    """Metrics on the other y axis of the plot."""
    curves_off: list[str] = []
    """Curves of sessions that are switched off, as ``host/id train.loss``."""
    kinds: str = "all"
    caller: str = "log"
    sort: str = "id"
    grouped: bool = False
    folded: list[str] = []
    list_share: float = Shares().list
    dock_share: float = Shares().dock
    tab: str = "plot"
    hidden: list[str] = []
    """Sessions not to be shown, as ``host/id``."""
    marked: list[str] = []
    """Sessions to be looked at together, as ``host/id``."""
    hinted: bool = False
    """The line for those who are here for the first time has been seen."""


def path() -> Path:
    """The file, in the user's folder for configuration."""
    return folder() / "view.json"


def load() -> Settings:
    """What was remembered; the defaults where there is nothing, or nothing that can be read."""
    try:
        file = path()
        if file.stat().st_size > MAX_SIZE:
            return Settings()
        return msgspec.json.decode(file.read_bytes(), type=Settings)
    except (OSError, msgspec.MsgspecError):
        return Settings()


def save(settings: Settings) -> None:
    """Remember them. What cannot be written is not remembered."""
    file = path()
    temporary = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(settings)) + b"\n")
        temporary.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
